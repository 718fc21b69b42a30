/** What is watched costs calls of the runtime only after a change, where the runtime has events. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

const patient = { timeoutMs: 30_000, intervalMs: 50 };
/** No lists but those that the code under test asks for. */
const seldom = { events: { listEveryMs: 600_000 } };

interface Followed {
  readonly lines: readonly string[];
  readonly isEnded: boolean;
  leave(): void;
}

function follow(
  t: Pick<TestContext, "after">,
  { port }: LiveGateway,
  path: string,
  accept: string,
): Followed {
  const sent = request({ port, path, headers: { authorization: `Bearer ${token}`, accept } });
  let text = "";
  let isEnded = false;
  sent.on("error", () => undefined);
  sent.on("response", (response) => {
    response.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    response.on("error", () => undefined);
    response.on("end", () => {
      isEnded = true;
    });
  });
  sent.end();
  t.after(() => sent.destroy());
  return {
    get lines() {
      return text.split("\n").slice(0, -1);
    },
    get isEnded() {
      return isEnded;
    },
    leave: () => sent.destroy(),
  };
}

/** Pods are always listed with them. */
const lists = (fake: FakeRuntime): number => fake.callsOf("RuntimeService/ListContainers").length;

/** Waits until `count` further rounds have come without a list. */
async function roundsWithoutLists(fake: FakeRuntime, watched: Followed, count: number): Promise<void> {
  let from = { rounds: watched.lines.length, lists: lists(fake) };
  await eventually(() => {
    if (lists(fake) !== from.lists) from = { rounds: watched.lines.length, lists: lists(fake) };
    return watched.lines.length >= from.rounds + count;
  }, patient);
}

/** Creates and starts a container as clients do, which the events report. */
async function run(
  { ask }: LiveGateway,
  pod: string,
  { name, logPath }: { readonly name: string; readonly logPath?: string },
): Promise<string> {
  const config = { metadata: { name }, image: "busybox:1.36", command: ["serve"] };
  const created = await ask(
    `POST /v1/pods/${pod}/containers`,
    logPath === undefined ? config : { ...config, logPath },
  );
  const id = String(created.at("containerId"));
  await ask(`POST /v1/containers/${id}/start`);
  return id;
}

const idsIn = (line: string | undefined): readonly string[] =>
  (JSON.parse(line ?? "{}") as { items: readonly { id: string }[] }).items.map(({ id }) => id);

test("watchers of stats list pods and containers only after a change, and miss none, also after an outage", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { ...seldom, recoveryMs: 200 });
  const { fake } = gateway;
  const pod = fake.addPod({ name: "web" });
  const first = fake.addContainer({ pod, name: "first", state: "running" });
  const watched = follow(t, gateway, "/v1/stats/containers/watch?interval=1s", "application/x-ndjson");
  await roundsWithoutLists(fake, watched, 3);
  assert.equal(fake.containerdEvents.subscribers, 1);
  assert.deepEqual(idsIn(watched.lines.at(-1)), [first.id]);

  const second = await run(gateway, pod.id, { name: "second" });
  await eventually(() => idsIn(watched.lines.at(-1)).includes(second), patient);
  await roundsWithoutLists(fake, watched, 2);
  await fake.exitContainer(second, 0);
  await eventually(() => !idsIn(watched.lines.at(-1)).includes(second), patient);

  const back = fake.restart();
  await fake.exitContainer(first.id, 7);
  await back;
  await eventually(() => idsIn(watched.lines.at(-1)).length === 0, patient);
  const third = await run(gateway, pod.id, { name: "third" });
  await eventually(() => idsIn(watched.lines.at(-1)).includes(third), patient);
  await roundsWithoutLists(fake, watched, 2);
});

test("a scrape shares the lists of watchers, and subscribes to nothing by itself", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { fake, ask } = gateway;
  const { id } = fake.addContainer({ state: "running" });
  assert.match((await ask("GET /metrics/cadvisor")).text, new RegExp(id));
  assert.match((await ask("GET /v1/stats/containers/watch?interval=1s")).text, new RegExp(id));
  assert.equal(fake.containerdEvents.subscribers, 0);
  assert.equal(fake.callsOf("ImageService/ListImages").length, 0, "nothing was followed");
  const watched = follow(t, gateway, "/v1/stats/containers/watch?interval=1s", "application/x-ndjson");
  await roundsWithoutLists(fake, watched, 2);
  const before = lists(fake);
  assert.match((await ask("GET /metrics/cadvisor")).text, new RegExp(id));
  assert.equal(lists(fake), before);
});

test("stats are read with lists where events cost more calls than they save", async (t) => {
  for (const [manner, interval] of [
    ["cri-dockerd", "1s"],
    ["cri-o", "2s"],
    ["containerd-2.1", "30s"],
  ] as const) {
    const gateway = await liveGateway(t, manner);
    gateway.fake.addContainer({ state: "running" });
    const path = `/v1/stats/containers/watch?interval=${interval}`;
    const watched = follow(t, gateway, path, "application/x-ndjson");
    await eventually(() => watched.lines.length >= (interval === "30s" ? 1 : 3), patient);
    assert.equal(gateway.fake.callsOf("ImageService/ListImages").length, 0, manner);
    watched.leave();
  }
});

test("a follower of logs lists containers only after a change, and sees who joins and who ends", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { fake } = gateway;
  const logDirectory = join(gateway.dataDir, "logs", "web");
  const pod = fake.addPod({ name: "web", config: { logDirectory } });
  const runWithLine = async (name: string, line: string) => {
    const logPath = `${name}/0.log`;
    const path = join(logDirectory, logPath);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `2026-01-01T00:00:00.000000000Z stdout F ${line}\n`);
    return await run(gateway, pod.id, { name, logPath });
  };
  const first = await runWithLine("first", "one");
  const ofPod = follow(t, gateway, `/v1/pods/${pod.id}/logs?follow=true`, "text/plain");
  const ofOne = follow(t, gateway, `/v1/containers/${first}/logs?follow=true`, "text/plain");
  await eventually(() => ofPod.lines.includes("one") && ofOne.lines.includes("one"), patient);

  // Lists follow the beginning of the events for a second; after that there are none.
  let seen = { lists: lists(fake), at: performance.now() };
  await eventually(() => {
    if (lists(fake) !== seen.lists) seen = { lists: lists(fake), at: performance.now() };
    return performance.now() > seen.at + 3000;
  }, patient);
  assert.equal(fake.containerdEvents.subscribers, 1);

  await runWithLine("second", "two");
  await eventually(() => ofPod.lines.includes("two"), patient);
  await fake.exitContainer(first, 0);
  await eventually(() => ofOne.isEnded, patient);
  assert.equal(ofPod.isEnded, false);
  await gateway.ask(`POST /v1/pods/${pod.id}/stop`);
  await eventually(() => ofPod.isEnded, patient);
});

test("wait reads the status of its own container only, less and less often, and after a change", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { fake } = gateway;
  for (let n = 0; n < 20; n++) fake.addContainer({ state: "running" });
  const { id } = fake.addContainer({ state: "running" });
  const statuses = () => fake.callsOf("RuntimeService/ContainerStatus").length;
  const waiting = gateway.ask(`GET /v1/containers/${id}/wait?timeout=60`);
  await eventually(() => statuses() >= 2, patient);
  const watched = follow(t, gateway, "/v1/stats/pods/watch?interval=1s", "application/x-ndjson");
  await eventually(() => watched.lines.length >= 3, patient);
  const ofOwn = fake
    .callsOf("RuntimeService/ContainerStatus")
    .filter(({ request }) => request.verbose !== true);
  assert.ok(ofOwn.every(({ request }) => request.containerId === id));
  // From 20 ms on, each pause is twice the one before.
  assert.ok(ofOwn.length <= 12, `${ofOwn.length} reads`);
  await fake.exitContainer(id, 3);
  assert.equal((await waiting).at("exitCode"), 3);
  // A snapshot needs all of them.
  const snapshot = await gateway.ask("GET /v1/events");
  assert.equal(JSON.stringify(snapshot.at("items")).match(/"container\.started"/g)?.length, 20);
  const times = (snapshot.at("items") as { type: string; time: string }[])
    .filter(({ type }) => type === "container.started")
    .map(({ time }) => Date.parse(time));
  const startedAt = [...fake.containers.values()].map((one) => Number(one.startedAtNanos / 1_000_000n));
  assert.ok(
    times.every((time) => startedAt.includes(time)),
    "each with the time of its start",
  );
});
