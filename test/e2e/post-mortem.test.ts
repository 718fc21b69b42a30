/** Post-mortems on a real containerd: what a container's end looks like, and the cause that follows from it. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { dirname } from "node:path";
import { type TestContext, test } from "node:test";
import type { PostMortem } from "../../src/routes/answers.ts";
import { eventually } from "../support/eventually.ts";
import { assertDone, bodyOf } from "./support/api.ts";
import type { Gateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  createContainer,
  exited,
  type Resource,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip, { args: ["--allow-all"] });

async function postMortem({ path }: Resource, query = ""): Promise<PostMortem> {
  return bodyOf(await crest().get<PostMortem>(`${path}/post-mortem${query}`));
}

/** Reads events until the test has ended, so that they are kept. */
async function readEvents(t: TestContext, { address, token }: Gateway): Promise<void> {
  const sent = request(`${address}/v1/events?watch=true`, {
    headers: { authorization: `Bearer ${token}`, accept: "application/x-ndjson" },
  });
  t.after(() => sent.destroy());
  await new Promise<void>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.on("error", () => undefined);
      response.on("data", () => resolve());
    });
    sent.end();
  });
}

const typesOf = ({ events = [] }: PostMortem): readonly string[] => events.map(({ type }) => type);
const textsOf = ({ log = [] }: PostMortem): readonly string[] => log.map(({ text }) => text);

test("a container that failed shows its code, its last lines, its events and its pod", {
  skip,
}, async (t) => {
  await readEvents(t, crest());
  const pod = await runPod(crest());
  const container = await runContainer(
    crest(),
    pod,
    shell("for i in $(seq 30); do echo line $i; done; echo bad; exit 3"),
  );
  await exited(crest(), container);
  const found = await eventually(async () => {
    const answer = await postMortem(container);
    return textsOf(answer).length === 20 && answer;
  });
  assert.deepEqual([found.state, found.removed, found.exit?.exitCode], ["CONTAINER_EXITED", false, 3]);
  assert.equal(found.exit?.signal, undefined);
  assert.equal(found.cause.code, "exit_code");
  assert.deepEqual(textsOf(found).slice(-2), ["line 30", "bad"]);
  assert.deepEqual(textsOf(await postMortem(container, "?tailLines=2")), ["line 30", "bad"]);
  assert.deepEqual(typesOf(found), ["container.created", "container.started", "container.exited"]);
  assert.deepEqual([found.pod?.state, found.pod?.containers?.length], ["SANDBOX_READY", 1]);
  assert.deepEqual(found.command, ["sh", "-c", found.command?.[2]]);
  assert.ok(found.runTimeMs !== undefined && found.runTimeMs < 60_000);
  assert.deepEqual(
    found.missing.map(({ part }) => part),
    ["memory"],
  );
});

test("a container that used too much memory was killed by the kernel", { skip }, async (t) => {
  await readEvents(t, crest());
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, {
    ...shell("x=a; while :; do x=$x$x; done"),
    linux: { resources: { memoryLimitInBytes: String(20 * 2 ** 20) } },
  });
  await exited(crest(), container);
  const { cause, memory, exit } = await postMortem(container);
  assert.deepEqual(cause, {
    code: "oom_killed",
    text: "The kernel killed it because it ran out of memory (limit: 20.0 MiB).",
  });
  assert.deepEqual([memory.oomKilled, memory.limitBytes], [true, 20 * 2 ** 20]);
  assert.deepEqual([exit?.exitCode, exit?.signal], [137, "SIGKILL"]);
});

test("a child that used too much memory shows in a running container, with the peak", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, {
    ...shell("dd if=/dev/zero of=/dev/null bs=40M count=1; echo survived; sleep 3600"),
    linux: { resources: { memoryLimitInBytes: String(20 * 2 ** 20) } },
  });
  const found = await eventually(
    async () => {
      const answer = await postMortem(container);
      // An answer's parts are read side by side.
      return textsOf(answer).includes("survived") && answer.memory.oomKilled && answer;
    },
    { timeoutMs: 60_000 },
  );
  assert.deepEqual([found.state, found.exit, found.finishedAt], ["CONTAINER_RUNNING", undefined, undefined]);
  assert.deepEqual([found.memory.oomKilled, found.memory.oomKills], [true, 1]);
  assert.ok(found.memory.peakBytes !== undefined && found.memory.peakBytes > 10 * 2 ** 20);
  assert.equal(found.memory.peakSampled, false);
  assert.equal(found.cause.code, "running");
  assert.match(found.cause.text, /one of its processes because it ran out of memory/);
});

test("a stop shows as such: by its signal, and by the end of its grace period", { skip }, async () => {
  const pod = await runPod(crest());
  const obedient = await runContainer(
    crest(),
    pod,
    shell("trap 'exit 143' TERM; while :; do sleep 0.1; done"),
  );
  const stubborn = await runContainer(crest(), pod, shell("trap '' TERM; while :; do sleep 0.1; done"));
  const alone = await runContainer(crest(), pod, shell("exit 143"));
  await Promise.all([
    crest().post(`${obedient.path}/stop?timeout=20`).then(assertDone),
    crest().post(`${stubborn.path}/stop?timeout=1`).then(assertDone),
  ]);
  const stopped = await postMortem(obedient);
  assert.deepEqual(stopped.cause, {
    code: "stopped",
    text: "It exited with code 143 (SIGTERM) after a request to stop it.",
  });
  assert.deepEqual([stopped.stopRequest?.action, stopped.stopRequest?.graceSeconds], ["stop", 20]);
  assert.deepEqual((await postMortem(stubborn)).cause, {
    code: "stop_timeout",
    text: "It was killed because it was still running 1 s after a request to stop it.",
  });
  await exited(crest(), alone);
  const { cause, stopRequest } = await postMortem(alone);
  assert.deepEqual([cause.code, stopRequest], ["signal", undefined]);
  assert.match(cause.text, /SIGTERM\); the sender of the signal is unknown/);
});

test("a command that does not exist is the cause", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod, { command: ["/no/such/program"] });
  assert.equal((await postMortem(container)).cause.code, "not_started");
  assert.ok((await crest().post(`${container.path}/start`)).status >= 400);
  await exited(crest(), container);
  const { cause, exit, runTimeMs } = await postMortem(container);
  assert.deepEqual([cause.code, exit?.exitCode, exit?.reason], ["command_not_found", 128, "StartError"]);
  assert.ok(runTimeMs === undefined);
});

test("earlier attempts of a name show how they ended, the newest first", { skip }, async () => {
  const pod = await runPod(crest());
  const ids: string[] = [];
  for (const attempt of [0, 1, 2]) {
    const container = await runContainer(crest(), pod, {
      ...shell(`echo attempt ${attempt}; exit ${attempt + 4}`),
      metadata: { name: "app", attempt },
    });
    await exited(crest(), container);
    ids.push(container.id);
  }
  await exited(crest(), await runContainer(crest(), pod, shell("exit 9")));
  const found = await postMortem({ id: ids[2] ?? "", path: `/v1/containers/${ids[2]}` });
  assert.deepEqual(
    found.attempts?.map(({ id, attempt, exit }) => [id, attempt, exit?.exitCode]),
    [
      [ids[1], 1, 5],
      [ids[0], 0, 4],
    ],
  );
  for (const { startedAt, finishedAt, runTimeMs } of found.attempts ?? [])
    assert.ok(startedAt !== undefined && finishedAt !== undefined && runTimeMs !== undefined);
});

test("a log that is gone is missing, and the rest is there", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, shell("echo hello; exit 5"));
  const { logPath } = await exited(crest(), container);
  await rm(dirname(logPath), { recursive: true });
  const found = await postMortem(container);
  assert.deepEqual([found.log, found.exit?.exitCode], [undefined, 5]);
  assert.equal(found.missing.find(({ part }) => part === "log")?.reason, `there is no file ${logPath}`);
});

test("a container that was removed is told of by its events, and by its log", { skip }, async (t) => {
  await readEvents(t, crest());
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, shell("echo last words; exit 6"));
  await exited(crest(), container);
  await eventually(async () => textsOf(await postMortem(container)).length === 1);
  const { metadata } = await containerStatus(crest(), container);
  assertDone(await crest().delete(container.path));
  const found = await eventually(async () => {
    const answer = await crest().get<PostMortem>(`${container.path}/post-mortem`);
    return answer.status === 200 && answer.body.removed && answer.body;
  });
  assert.deepEqual([found.state, found.exit?.exitCode, found.name], ["CONTAINER_EXITED", 6, metadata?.name]);
  assert.deepEqual(textsOf(found), ["last words"]);
  assert.equal(typesOf(found).at(-1), "container.removed");
  assert.equal(found.pod?.state, "SANDBOX_READY");
  const unknown = await crest().get(`/v1/containers/${"e".repeat(64)}/post-mortem`);
  assert.equal(unknown.status, 404);
});
