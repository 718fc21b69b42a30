/** Followers of logs whose containers come and go. The test writes the logs, as the fakes do not. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync } from "node:fs";
import { get } from "node:http";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

const patient = { timeoutMs: 15_000 };

interface Follower {
  readonly text: string;
  readonly hasEnded: boolean;
  leave(): void;
}

function follow(t: TestContext, { port }: LiveGateway, path: string): Follower {
  const follower = { text: "", hasEnded: false, leave: () => request.destroy() };
  const headers = { authorization: `Bearer ${token}` };
  const request = get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
    response.setEncoding("utf8").on("data", (part: string) => {
      follower.text += part;
    });
    response.on("end", () => {
      follower.hasEnded = true;
    });
    response.on("error", () => undefined);
  });
  request.on("error", () => undefined);
  t.after(() => request.destroy());
  return follower;
}

/** A running container of the pod, whose log has these lines. */
async function addContainer(gateway: LiveGateway, pod: string, name: string, ...texts: readonly string[]) {
  const { fake, dataDir } = gateway;
  const log = join(dataDir, "logs", pod, `${name}.log`);
  mkdirSync(dirname(log), { recursive: true });
  const write = (text: string): void => appendFileSync(log, `${new Date().toISOString()} stdout F ${text}\n`);
  for (const text of texts) write(text);
  const known = [...fake.pods.values()].find(({ config }) => config.metadata?.name === pod);
  const logDirectory = dirname(log);
  const owner = known ?? fake.addPod({ name: pod, namespace: "demo", config: { logDirectory } });
  if (known === undefined) fake.addImage({ tags: [`${pod}:1`] });
  const image = { image: `${pod}:1`, userSpecifiedImage: `${pod}:1` };
  const { containerId } = (await fake.perform("RuntimeService/CreateContainer", {
    podSandboxId: owner.id,
    config: { metadata: { name, attempt: 0 }, image, logPath: `${name}.log` },
    sandboxConfig: owner.config,
  })) as { readonly containerId: string };
  await fake.perform("RuntimeService/StartContainer", { containerId });
  return { id: containerId, pod: owner.id, write };
}

for (const manner of mannerNames) {
  test(`a follower of a selection reads containers that start later, and others to their end, on ${manner}`, async (t) => {
    // On containerd and CRI-O nothing but an event can report them in time.
    const gateway = await liveGateway(t, manner, {
      events: { listEveryMs: manner === "cri-dockerd" ? 100 : 600_000 },
    });
    const first = await addContainer(gateway, "web", "first", "first 1");
    const follower = follow(t, gateway, "/v1/logs?namespace=demo&follow");
    await eventually(() => follower.text === "first 1\n", patient);
    const later = await addContainer(gateway, "late", "later", "later 1");
    await eventually(() => follower.text === "first 1\nlater 1\n", patient);
    later.write("later 2");
    await gateway.fake.exitContainer(first.id, 0);
    await gateway.fake.perform("RuntimeService/RemoveContainer", { containerId: first.id });
    later.write("later 3");
    await eventually(() => follower.text === "first 1\nlater 1\nlater 2\nlater 3\n", patient);
    assert.ok(!follower.hasEnded);
    const pod = follow(t, gateway, `/v1/pods/${later.pod}/logs?follow`);
    await eventually(() => pod.text === "later 1\nlater 2\nlater 3\n", patient);
    later.write("later 4");
    await gateway.fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId: later.pod });
    await eventually(() => pod.hasEnded, patient);
    assert.equal(pod.text, "later 1\nlater 2\nlater 3\nlater 4\n");
  });
}

test("a follower is told that its stream is open before anything is written", {
  timeout: 30_000,
}, async (t) => {
  const gateway = await liveGateway(t);
  const { id } = await addContainer(gateway, "web", "quiet", "1");
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  for (const accept of ["text/plain", "application/x-ndjson", "text/event-stream"]) {
    const response = await fetch(
      `http://127.0.0.1:${gateway.port}/v1/containers/${id}/logs?follow&tailLines=0`,
      { headers: { authorization: `Bearer ${token}`, accept }, signal: leaving.signal },
    );
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", new RegExp(`^${accept}`));
    assert.equal(response.headers.get("x-accel-buffering"), "no");
  }
});

test("followers that nothing happens to list hardly ever", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { events: { listEveryMs: 200 } });
  const { fake } = gateway;
  const one = await addContainer(gateway, "web", "app", "1");
  const paths = [
    "/v1/logs?follow",
    `/v1/pods/${one.pod}/logs?follow`,
    `/v1/containers/${one.id}/logs?follow`,
  ];
  const followers = paths.map((path) => follow(t, gateway, path));
  await eventually(() => followers.every(({ text }) => text === "1\n"), patient);
  const lists = () =>
    fake.callsOf("RuntimeService/ListContainers").map(({ request }) => request.filter !== undefined);
  const ofEvents = (): number => lists().filter((isFiltered) => !isFiltered).length;
  // One subscription for all, which lists for itself: five seconds.
  await eventually(() => ofEvents() > 25, patient);
  assert.equal(fake.containerdEvents.subscribers, 1);
  // One at the beginning, and one after that, when events have begun.
  assert.ok(lists().length - ofEvents() <= 2 * followers.length, String(lists().length - ofEvents()));
});

test("a follower that has ended or left follows no events any longer", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { events: { lingerMs: 50 } });
  const subscribers = (): number => gateway.fake.containerdEvents.subscribers;
  const one = await addContainer(gateway, "web", "app", "1", "2");
  const left = follow(t, gateway, "/v1/logs?follow");
  await eventually(() => left.text === "1\n2\n" && subscribers() === 1, patient);
  left.leave();
  await eventually(() => subscribers() === 0, patient);
  const limited = follow(t, gateway, "/v1/logs?follow&limitBytes=4");
  await eventually(() => limited.hasEnded && subscribers() === 0, patient);
  const ended = follow(t, gateway, `/v1/pods/${one.pod}/logs?follow`);
  await eventually(() => subscribers() === 1, patient);
  await gateway.fake.perform("RuntimeService/StopPodSandbox", { podSandboxId: one.pod });
  await eventually(() => ended.hasEnded && subscribers() === 0, patient);
});

test("a follower reads a container that started while the runtime was away", async (t) => {
  const gateway = await liveGateway(t);
  await addContainer(gateway, "web", "app", "1");
  const follower = follow(t, gateway, "/v1/logs?follow");
  await eventually(() => follower.text === "1\n" && gateway.fake.containerdEvents.subscribers === 1, patient);
  await gateway.fake.stop();
  await addContainer(gateway, "late", "later", "2");
  await gateway.fake.start();
  await eventually(() => follower.text === "1\n2\n", { timeoutMs: 30_000 });
});
