/** Events on a real containerd: a life, memory, and a runtime that is killed while it is followed. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { assertDone, bodyOf } from "./support/api.ts";
import type { Gateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { createContainer, exec, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip, { args: ["--allow-all"] });

interface Item {
  readonly type: string;
  readonly id?: string;
  readonly podSandboxId?: string;
  readonly containerId?: string;
  readonly [name: string]: unknown;
}

interface Watch {
  readonly items: readonly Item[];
  seen(wanted: (item: Item) => boolean, timeoutMs?: number): Promise<Item>;
}

/** Follows events as NDJSON. */
async function watch(t: TestContext, { address, token }: Gateway): Promise<Watch> {
  const items: Item[] = [];
  const sent = request(`${address}/v1/events?watch=true`, {
    headers: { authorization: `Bearer ${token}`, accept: "application/x-ndjson" },
  });
  t.after(() => sent.destroy());
  let rest = "";
  sent.on("error", () => undefined);
  sent.on("response", (response) => {
    response.setEncoding("utf8");
    response.on("error", () => undefined);
    response.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      items.push(...lines.map((line) => JSON.parse(line) as Item));
    });
  });
  sent.end();
  const watched: Watch = {
    items,
    seen: (wanted, timeoutMs = 30_000) => eventually(() => items.find(wanted), { timeoutMs }),
  };
  await watched.seen(({ type }) => type === "bookmark");
  return watched;
}

const isNews = ({ type, snapshot, id }: Item): boolean =>
  id !== undefined && snapshot === undefined && type !== "bookmark";

test("a pod with a container gives every event of its life, with exit codes", { skip }, async (t) => {
  const gateway = crest();
  const watched = await watch(t, gateway);
  const pod = await runPod(gateway, { labels: { app: "web" } });
  const container = await runContainer(
    gateway,
    pod,
    shell("trap 'exit 7' TERM; while :; do sleep 0.1; done"),
  );
  assert.equal((await exec(gateway, container, "exit 5")).exitCode, 5);
  assertDone(await gateway.post(`${container.path}/stop?timeout=10`));
  assertDone(await gateway.delete(container.path));
  assertDone(await gateway.delete(pod.path));
  await watched.seen(({ type, podSandboxId }) => type === "pod.removed" && podSandboxId === pod.id);
  const events = watched.items.filter((item) => isNews(item) && item.podSandboxId === pod.id);
  assert.deepEqual(
    events.map(({ type, exitCode, amends }) => [type, exitCode, amends]),
    [
      ["pod.created", undefined, undefined],
      ["pod.ready", undefined, undefined],
      ["container.created", undefined, undefined],
      ["container.started", undefined, undefined],
      ["container.exec", undefined, undefined],
      ["container.exec", 5, undefined],
      ["container.exited", 7, undefined],
      ["container.removed", undefined, undefined],
      ["pod.stopped", undefined, undefined],
      ["pod.removed", undefined, undefined],
    ],
  );
  for (const event of events) assert.equal((event.labels as { app?: string }).app, "web", event.type);
  assert.equal(events.at(6)?.reason, "Error");
});

test("a container whose program does not exist exits with StartError", { skip }, async (t) => {
  const gateway = crest();
  const watched = await watch(t, gateway);
  const pod = await runPod(gateway);
  const container = await createContainer(gateway, pod, { command: ["/no/such/program"] });
  assert.ok((await gateway.post(`${container.path}/start`)).status >= 400);
  const exit = await watched.seen(
    ({ type, containerId }) => type === "container.exited" && containerId === container.id,
  );
  assert.deepEqual([exit.exitCode, exit.reason], [128, "StartError"]);
  assert.ok(
    !watched.items.some(
      ({ type, containerId }) => type === "container.started" && containerId === container.id,
    ),
  );
});

test("a container that uses too much memory gives oom, and exits for that reason", { skip }, async (t) => {
  const gateway = crest();
  const watched = await watch(t, gateway);
  const pod = await runPod(gateway);
  const container = await runContainer(gateway, pod, {
    ...shell("x=a; while :; do x=$x$x; done"),
    linux: { resources: { memoryLimitInBytes: String(16 * 2 ** 20) } },
  });
  const exit = await watched.seen(
    ({ type, containerId, reason }) =>
      type === "container.exited" && containerId === container.id && reason === "OOMKilled",
    60_000,
  );
  assert.deepEqual([exit.exitCode, exit.signal], [137, "SIGKILL"]);
  await watched.seen(({ type, containerId }) => type === "container.oom" && containerId === container.id);
});

/** The private containerd of a gateway. */
function containerdPid({ dataDir }: Gateway): number {
  const found = readdirSync("/proc").find((pid) => {
    if (!/^[0-9]+$/.test(pid)) return false;
    try {
      const words = readFileSync(join("/proc", pid, "cmdline"), "utf8").split("\0");
      return words[0]?.endsWith("containerd") && words.some((word) => word.includes(dataDir));
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`Cannot find the containerd of ${dataDir}`);
  return Number(found);
}

test("containerd is killed while it is followed: resync, true exit codes, and wait ends", {
  skip,
}, async (t) => {
  const gateway = crest();
  const watched = await watch(t, gateway);
  const pod = await runPod(gateway);
  const container = await runContainer(gateway, pod, shell("sleep 1; exit 9"));
  const lasting = await runContainer(gateway, pod, shell("sleep 8; exit 4"));
  const waiting = gateway.get<{ exited: boolean; exitCode: number }>(`${lasting.path}/wait?timeout=60`);
  process.kill(containerdPid(gateway), "SIGKILL");
  await watched.seen(({ type }) => type === "resync");
  const resyncAt = watched.items.findIndex(({ type }) => type === "resync");
  await eventually(() => watched.items.slice(resyncAt).some(({ type }) => type === "bookmark"), {
    timeoutMs: 30_000,
  });
  await watched.seen(
    ({ type, containerId, exitCode }) =>
      type === "container.exited" && containerId === container.id && exitCode === 9,
  );
  const answer = bodyOf(await waiting);
  assert.deepEqual([answer.exited, answer.exitCode], [true, 4]);
  await watched.seen(
    ({ type, containerId, exitCode }) =>
      type === "container.exited" && containerId === lasting.id && exitCode === 4,
  );
});
