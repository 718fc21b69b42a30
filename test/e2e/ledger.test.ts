/**
 * The ledger: containerd is killed three times under load, and every answer is compared with what really happened.
 * A request that was answered as failed and may be repeated has done nothing; nothing is ever done twice.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createDaemon } from "../../src/embedded/daemon.ts";
import { pathsOf } from "../../src/embedded/paths.ts";
import type { ListPodSandboxResponse } from "../../src/gen/messages.ts";
import { eventually } from "../support/eventually.ts";
import { type Answer, anyProblemOf, bodyOf } from "./support/api.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, newName, type Resource, runContainer, runPod } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { dataDir, runtime } = useRuntime(skip);

const kills = 3;
/** How long each daemon serves before the next kill. */
const lifeMs = 2500;

/** What an answer says about the effect of its request. */
type Verdict = "done" | "not done" | "unknown";

function verdictOf(answer: Answer): Verdict {
  if (answer.status < 300) return "done";
  const problem = anyProblemOf(answer);
  if (problem.code !== "outcome_unknown") return "not done";
  assert.equal(answer.status, 504);
  assert.equal(problem.retryable, false);
  assert.equal(answer.headers["retry-after"], undefined);
  assert.match(problem.detail, /Before you send it again, (check|look) /);
  return "unknown";
}

type Ledger = Map<string, Verdict>;

/** Sends requests one after the other until `isOver`, and notes what each answer says. */
async function work(
  ledger: Ledger,
  { isOver, send }: { isOver: () => boolean; send: (name: string) => Promise<Answer> },
): Promise<void> {
  while (!isOver()) {
    const name = newName();
    const verdict = verdictOf(await send(name));
    assert.ok(!ledger.has(name));
    ledger.set(name, verdict);
    // An outage answers at once: there should be requests left for the daemon's next life.
    if (verdict === "not done") await delay(50);
  }
}

/** Holds a ledger against how often each of its effects is there. */
function compare(ledger: Ledger, effects: ReadonlyMap<string, number>): string {
  const counts = { done: 0, "not done": 0, unknown: 0, "unknown, and done": 0 };
  for (const [name, verdict] of ledger) {
    const times = effects.get(name) ?? 0;
    assert.ok(times <= 1, `${name} happened ${times} times`);
    if (verdict === "done") assert.equal(times, 1, `${name} was answered as done`);
    if (verdict === "not done") assert.equal(times, 0, `${name} was answered as not done`);
    counts[verdict]++;
    if (verdict === "unknown" && times === 1) counts["unknown, and done"]++;
  }
  return JSON.stringify(counts);
}

function countOf(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

async function linesIn(crest: Gateway, container: Resource): Promise<readonly string[]> {
  const { stdout } = await exec(crest, container, "cat /ledger");
  return stdout.split("\n").filter((line) => line !== "");
}

async function podNames(crest: Gateway): Promise<readonly string[]> {
  const { items } = bodyOf(await crest.get<ListPodSandboxResponse>("/v1/pods"));
  return items.map(({ metadata }) => metadata?.name ?? "");
}

test(`containerd is killed ${kills} times under load, and every answer is true`, { skip }, async (t) => {
  const crest = await startGateway("serve", { args: [`--runtime-endpoint=${runtime().socket}`, "-A"] });
  t.after(() => crest.close());
  const pod = await runPod(crest);
  const container = await runContainer(crest, pod);
  await exec(crest, container, "touch /ledger");

  const execs: Ledger = new Map();
  const pods: Ledger = new Map();
  const reads: number[] = [];
  let over = false;
  const isOver = () => over;
  const sendExec = (name: string) =>
    crest.post(`${container.path}/exec`, { cmd: ["sh", "-c", `echo ${name} >> /ledger`] });
  const sendPod = (name: string) => crest.post("/v1/pods", { metadata: { name } });
  const readOn = async () => {
    while (!over) reads.push((await crest.get("/v1/containers")).status);
  };
  const workers = [
    ...Array.from({ length: 6 }, () => work(execs, { isOver, send: sendExec })),
    ...Array.from({ length: 3 }, () => work(pods, { isOver, send: sendPod })),
    readOn(),
  ];

  let { pid } = runtime();
  for (let kill = 0; kill < kills; kill++) {
    await delay(lifeMs);
    process.kill(pid, "SIGKILL");
    ({ pid } = await createDaemon(pathsOf(dataDir)));
    await eventually(async () => (await crest.get("/readyz")).status === 200);
  }
  over = true;
  await Promise.all(workers);

  // What was begun when a daemon died may still come to its end in a shim.
  await eventually(async () => {
    const before = (await linesIn(crest, container)).length;
    await delay(500);
    return (await linesIn(crest, container)).length === before;
  });
  t.diagnostic(`execs: ${compare(execs, countOf(await linesIn(crest, container)))}`);
  t.diagnostic(`pods: ${compare(pods, countOf(await podNames(crest)))}`);
  // Reads wait for the daemon to return.
  assert.deepEqual([...new Set(reads)], [200]);
  assert.ok([...execs.values(), ...pods.values()].includes("unknown"), "no kill met a mutation under way");
});
