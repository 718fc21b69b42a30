/** Post-mortems in front of fakes of every runtime: what is known of an end, and what a caller may know. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import type { Grant } from "../../src/grants.ts";
import type { PostMortem } from "../../src/routes/answers.ts";
import { eventually } from "../support/eventually.ts";
import { type FakeContainer, failing, mannerNames } from "../support/fake-runtime.ts";
import { withLog } from "./container-log.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { exactly } from "./table-gateway.ts";

const fast = { events: { listEveryMs: 50 } };

async function postMortem({ ask }: LiveGateway, id: string, query = ""): Promise<PostMortem> {
  const answer = await ask(`GET /v1/containers/${id}/post-mortem${query}`);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text) as PostMortem;
}

/** Reads events until the test has ended, so that they are kept. */
async function readEvents(t: Pick<TestContext, "after">, { port }: LiveGateway): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, accept: "application/x-ndjson" };
  const sent = request({ host: "127.0.0.1", port, path: "/v1/events?watch=true", headers, agent: false });
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

const partsMissing = ({ missing }: PostMortem): readonly string[] => missing.map(({ part }) => part);
const textsOf = ({ log = [] }: PostMortem): readonly string[] => log.map(({ text }) => text);
const limited = { linux: { resources: { memoryLimitInBytes: String(64 * 2 ** 20) } } };

for (const manner of mannerNames) {
  test(`a container that failed answers its end, log, pod and attempts, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const lines = Array.from({ length: 25 }, (_, number) => `line ${number}`);
    const first = await withLog(gateway, manner, [], { container: { exitCode: 1 } });
    const running = { attempt: 1, container: { state: "running" as const, command: ["serve", "--all"] } };
    const { container, pod } = await withLog(gateway, manner, lines, running);
    const alive = await postMortem(gateway, container.id);
    assert.deepEqual(
      [alive.state, alive.exit, alive.finishedAt],
      ["CONTAINER_RUNNING", undefined, undefined],
    );
    assert.deepEqual(alive.cause, { code: "running", text: "It is running." });
    assert.ok(alive.runTimeMs !== undefined);
    await gateway.fake.exitContainer(container.id, 3);
    const found = await postMortem(gateway, container.id.slice(0, 12));
    assert.deepEqual([found.id, found.name, found.attempt], [container.id, "app", 1]);
    assert.deepEqual(
      [found.state, found.removed, found.exit?.exitCode, found.exit?.reason, found.cause.code],
      ["CONTAINER_EXITED", false, 3, "Error", "exit_code"],
    );
    assert.ok(BigInt(found.startedAt ?? 0) <= BigInt(found.finishedAt ?? 0));
    assert.deepEqual(textsOf(found), lines.slice(5));
    assert.deepEqual(textsOf(await postMortem(gateway, container.id, "?tailLines=1")), ["line 24"]);
    assert.deepEqual((await postMortem(gateway, container.id, "?tailLines=0")).log, []);
    assert.deepEqual(
      found.attempts?.map(({ id, attempt, exit }) => [id, attempt, exit?.exitCode]),
      [[first.container.id, 0, 1]],
    );
    assert.deepEqual(
      [found.pod?.id, found.pod?.name, found.pod?.namespace, found.pod?.state],
      [pod.id, "web", "demo", "SANDBOX_READY"],
    );
    assert.deepEqual(found.pod?.containers?.map(({ attempt, state }) => [attempt, state]).toSorted(), [
      [0, "CONTAINER_EXITED"],
      [1, "CONTAINER_EXITED"],
    ]);
    // Docker keeps the command to itself.
    const isDocker = manner === "cri-dockerd";
    assert.deepEqual(found.command, isDocker ? undefined : ["serve", "--all"]);
    assert.deepEqual(partsMissing(found), isDocker ? ["events", "command", "memory"] : ["events", "memory"]);
    assert.deepEqual(gateway.logged, []);
  });

  test(`memory, a stop and a pod's stop are told apart as causes, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { ask, fake } = gateway;
    const pod = fake.addPod({ labels: { "crest/managed": "true" } });
    const causeOf = async ({ id }: FakeContainer): Promise<string> =>
      (await postMortem(gateway, id)).cause.text;
    const oom = fake.addContainer({ pod, config: limited });
    await fake.exitContainer(oom.id, 137, { reason: "OOMKilled" });
    const { memory } = await postMortem(gateway, oom.id);
    // This cri-dockerd reports a limit only after an update.
    const isDocker = manner === "cri-dockerd";
    assert.deepEqual([memory.oomKilled, memory.limitBytes], [true, isDocker ? undefined : 64 * 2 ** 20]);
    const limit = isDocker ? "" : " (limit: 64.0 MiB)";
    assert.equal(await causeOf(oom), `The kernel killed it because it ran out of memory${limit}.`);
    const killed = fake.addContainer({ pod });
    await fake.exitContainer(killed.id, 137);
    assert.match(await causeOf(killed), /\(SIGKILL\); the sender of the signal is unknown/);
    const stopped = fake.addContainer({ pod });
    assert.equal((await ask(`POST /v1/containers/${stopped.id}/stop?timeout=5`)).status, 204);
    assert.equal(await causeOf(stopped), "It exited with code 143 (SIGTERM) after a request to stop it.");
    const stubborn = fake.addContainer({ pod, onTerm: "ignore" });
    assert.equal((await ask(`POST /v1/containers/${stubborn.id}/stop?timeout=1`)).status, 204);
    assert.equal(
      await causeOf(stubborn),
      "It was killed because it was still running 1 s after a request to stop it.",
    );
    const other = fake.addContainer({ pod });
    assert.equal((await ask(`POST /v1/pods/${pod.id}/stop`)).status, 204);
    const { cause, stopRequest } = await postMortem(gateway, other.id);
    assert.match(cause.text, /a request to stop its pod\.$/);
    assert.deepEqual([stopRequest?.subject, stopRequest?.action], ["pod", "stop"]);
    // It ended by itself before.
    assert.match(await causeOf(killed), /the sender of the signal is unknown/);
  });

  test(`a removed container is known by its events while somebody reads them, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner, fast);
    const { ask, fake } = gateway;
    await readEvents(t, gateway);
    const pod = fake.addPod({ labels: { "crest/managed": "true" } });
    const { id } = fake.addContainer({ pod, name: "app", state: "created" });
    const seen = (type: string) =>
      eventually(async () => {
        const answer = await ask(`GET /v1/containers/${id}/post-mortem`);
        const { events = [], ...found } = JSON.parse(answer.text) as PostMortem;
        return events.some((event) => event.type === type) && { ...found, events };
      });
    assert.equal((await ask(`POST /v1/containers/${id}/start`)).status, 204);
    await seen("container.started");
    await fake.exitContainer(id, 6);
    await seen("container.exited");
    assert.equal((await ask(`DELETE /v1/containers/${id}`)).status, 204);
    const found = await seen("container.removed");
    assert.deepEqual([found.removed, found.state, found.name], [true, "CONTAINER_EXITED", "app"]);
    assert.deepEqual([found.exit?.exitCode, found.cause.code, found.pod?.id], [6, "exit_code", pod.id]);
    assert.ok(Date.parse(found.eventsSince ?? "") <= Date.now());
    assert.deepEqual(partsMissing(found), ["log", "command", "memory"]);
  });
}

for (const manner of ["containerd-1.6", "containerd-2.1", "cri-dockerd"] as const) {
  test(`a command that does not exist is the cause, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const pod = gateway.fake.addPod({ labels: { "crest/managed": "true" } });
    const { id } = gateway.fake.addContainer({ pod, state: "created", command: ["no-such-program"] });
    assert.equal((await postMortem(gateway, id)).cause.code, "not_started");
    assert.equal((await gateway.ask(`POST /v1/containers/${id}/start`)).at("code"), "command_not_found");
    const { cause, exit } = await postMortem(gateway, id);
    assert.equal(cause.code, "command_not_found");
    assert.match(exit?.message ?? "", /executable file not found/);
  });
}

test("a part whose grant the caller lacks is missing with the grant's name, and shows nowhere else", async (t) => {
  const parts: readonly (readonly [Grant, string, keyof PostMortem])[] = [
    ["logs", "log", "log"],
    ["read:events", "events", "events"],
    ["read:pods", "pod", "pod"],
    ["verbose", "command", "command"],
    ["read:stats", "memory", "memory"],
  ];
  const all = parts.map(([grant]) => grant);
  for (const [missingGrant, part, member] of parts) {
    const grants = exactly(["read:containers", ...all.filter((grant) => grant !== missingGrant)]);
    const gateway = await liveGateway(t, "containerd-2.1", { grants });
    const { container } = await withLog(gateway, "containerd-2.1", ["a secret line"], {
      container: { command: ["serve", "--password=hunter2"], state: "running" },
    });
    if (missingGrant !== "read:events") await readEvents(t, gateway);
    await gateway.fake.exitContainer(container.id, 137);
    const answer = await gateway.ask(`GET /v1/containers/${container.id}/post-mortem`);
    const found = JSON.parse(answer.text) as PostMortem;
    const entry = found.missing.find((one) => one.grant !== undefined);
    assert.deepEqual([entry?.part, entry?.grant], [part, missingGrant]);
    assert.match(entry?.reason ?? "", /--allow-/);
    if (member !== "memory") assert.ok(!(member in found), member);
    assert.equal(answer.text.includes("a secret line"), missingGrant !== "logs");
    assert.equal(answer.text.includes("hunter2"), missingGrant !== "verbose");
    assert.equal("events" in found, missingGrant !== "read:events");
  }
});

test("without read:events and read:stats, what only an event tells is no evidence", async (t) => {
  const grants = exactly(["read:containers"]);
  const gateway = await liveGateway(t, "containerd-2.1", { grants });
  const { ask, fake } = gateway;
  const { id } = fake.addContainer({ state: "running", config: limited });
  // Whoever waits keeps the events alive.
  const waiting = ask(`GET /v1/containers/${id}/wait?timeout=30`);
  await eventually(() => fake.containerdEvents.subscribers === 1);
  fake.containerdEvents.publish("/tasks/oom", { containerId: id });
  await fake.exitContainer(id, 5);
  assert.equal((await waiting).at("exitCode"), 5);
  const found = await postMortem(gateway, id);
  assert.deepEqual([found.exit?.exitCode, found.memory.oomKilled, found.cause.code], [5, false, "exit_code"]);
  assert.deepEqual(partsMissing(found), ["log", "events", "pod", "command", "memory"]);
  fake.on("RuntimeService/ContainerStatus", failing(5, "no such container"));
  assert.equal((await ask(`GET /v1/containers/${id}/post-mortem`)).status, 404);
});

test("a log that may not be read, or is not there, leaves the rest", async (t) => {
  const gateway = await liveGateway(t);
  const pod = gateway.fake.addPod({ config: { logDirectory: "/etc" } });
  const outside = gateway.fake.addContainer({ pod, logPath: "passwd", state: "exited", exitCode: 4 });
  const answer = await postMortem(gateway, outside.id);
  assert.deepEqual([answer.log, answer.exit?.exitCode], [undefined, 4]);
  assert.match(answer.missing.find(({ part }) => part === "log")?.reason ?? "", /is not below/);
  const { container, path } = await withLog(gateway, "containerd-2.1", []);
  assert.deepEqual((await postMortem(gateway, container.id)).log, []);
  const gone = gateway.fake.addContainer({ pod: container.podId, logPath: "gone/0.log", state: "exited" });
  assert.equal(
    (await postMortem(gateway, gone.id)).missing.find(({ part }) => part === "log")?.reason,
    `there is no file ${path.replace("app/0.log", "gone/0.log")}`,
  );
});

test("long lines leave room only for the last ones, and a bad tailLines is 400", async (t) => {
  const gateway = await liveGateway(t);
  const lines = ["a", "b", "c", "d"].map((letter) => letter.repeat(400_000));
  const { container } = await withLog(gateway, "containerd-2.1", lines);
  assert.deepEqual(
    textsOf(await postMortem(gateway, container.id)).map((text) => text[0]),
    ["c", "d"],
  );
  for (const query of ["tailLines=-1", "tailLines=1001", "tailLines=x", "follow=true"]) {
    const answer = await gateway.ask(`GET /v1/containers/${container.id}/post-mortem?${query}`);
    assert.deepEqual([answer.status, answer.at("errors.0.parameter")], [400, query.split("=")[0]], query);
  }
});

test("an event wins over a runtime that is behind it, or that has lost the exit", async (t) => {
  for (const said of [
    { state: "CONTAINER_RUNNING", exitCode: 0, reason: "", finishedAt: "0" },
    { state: "CONTAINER_EXITED", exitCode: 255, reason: "Unknown" },
  ]) {
    const gateway = await liveGateway(t);
    const { fake } = gateway;
    const { id } = fake.addContainer({ state: "running" });
    await readEvents(t, gateway);
    fake.on("RuntimeService/ContainerStatus", async (_, call) => {
      const { status, ...rest } = (await call.next()) as { status: object };
      return { ...rest, status: { ...status, ...said } };
    });
    await fake.exitContainer(id, 9);
    const found = await eventually(async () => {
      const answer = await postMortem(gateway, id);
      return answer.events?.some(({ type }) => type === "container.exited") && answer;
    });
    assert.deepEqual(
      [found.state, found.exit?.exitCode, found.cause.code],
      ["CONTAINER_EXITED", 9, "exit_code"],
    );
    assert.ok(found.finishedAt !== undefined);
  }
});

test("a child that ran out of memory shows while its container runs, by the event", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running", config: limited });
  await readEvents(t, gateway);
  gateway.fake.containerdEvents.publish("/tasks/oom", { containerId: id });
  const found = await eventually(async () => {
    const answer = await postMortem(gateway, id);
    return answer.memory.oomKilled && answer;
  });
  assert.deepEqual([found.state, found.cause.code], ["CONTAINER_RUNNING", "running"]);
  assert.match(found.cause.text, /one of its processes because it ran out of memory \(limit: 64\.0 MiB\)/);
});

test("what the runtime does not answer of the pod and of attempts is missing, and the rest is there", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "exited", exitCode: 2 });
  gateway.fake.on("RuntimeService/ListPodSandbox", failing(2, "the disk is on fire"));
  const found = await postMortem(gateway, id);
  assert.deepEqual([found.exit?.exitCode, found.attempts], [2, []]);
  assert.match(found.missing.find(({ part }) => part === "pod")?.reason ?? "", /the disk is on fire/);
});
