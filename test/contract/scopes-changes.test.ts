/** A caller's view while pods come and go, and of what has gone; and that nothing of it is shared or left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grants } from "../../src/grants.ts";
import { eventually } from "../support/eventually.ts";
import { held, mannerNames } from "../support/fake-runtime.ts";
import type { Answer } from "./live-gateway.ts";
import { liveGateway } from "./live-gateway.ts";
import { keepLog, scopedWorld, views } from "./scope-world.ts";

const config = { linux: { cgroupParent: "/crest" } };
const ofDemo: Grants = { all: false, allow: { read: ["demo/*"], logs: ["demo"], stop: ["demo"] }, deny: {} };
const ofLabel: Grants = { all: true, allow: {}, deny: { read: ["label:tier=db"], logs: ["label:tier=db"] } };

const namesIn = ({ text }: Answer): readonly string[] =>
  [...new Set(text.match(/\b(demo|other)-\d+\b/g))].sort();

for (const manner of mannerNames) {
  test(`a scoped view is the whole one without the others while pods come and go on ${manner}`, async (t) => {
    const { fake, ask } = await liveGateway(t, manner, { grants: ofDemo });
    fake.addImage({ tags: ["tiny:1"] });
    const add = (namespace: string, number: number): string => {
      const name = `${namespace}-${number}`;
      const pod = fake.addPod({ namespace, name, uid: name, config });
      fake.addContainer({ pod, name, image: "tiny:1", state: "running" });
      return pod.id;
    };
    for (let round = 0; round < 6; round++) {
      const wanted = add("demo", round);
      const other = add("other", round);
      for (const path of ["pods", "containers", "stats/containers"]) {
        const expected = Array.from({ length: round + 1 }, (_, number) => `demo-${number}`);
        // Of each second one only the other is left.
        const left = expected.filter((_, number) => number % 2 === 0 || number === round);
        assert.deepEqual(namesIn(await ask(`GET /v1/${path}`)), left, path);
      }
      assert.equal((await ask(`GET /v1/pods/${wanted}`)).status, 200);
      assert.equal((await ask(`GET /v1/pods/${other}`)).status, 404);
      if (round % 2 === 0) continue;
      await fake.perform("RuntimeService/StopPodSandbox", { podSandboxId: wanted });
      await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId: wanted });
    }
    const { text } = await ask("GET /metrics/cadvisor");
    assert.ok(text.includes('pod="demo-4"') && !text.includes("other"), text);
  });
}

test("a pod that is removed between the check and the call is not found, and no other is changed", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-2.1", {
    grants: { ...ofDemo, allow: { ...ofDemo.allow, unmanaged: true } },
  });
  const { id } = fake.addPod({ namespace: "demo" });
  const other = fake.addPod({ namespace: "other" });
  const gate = held();
  fake.on("RuntimeService/StopPodSandbox", gate.answer, { once: true });
  const stopping = ask(`POST /v1/pods/${id.slice(0, 12)}/stop`);
  await gate.arrived;
  await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId: id });
  gate.release();
  await stopping;
  assert.equal((await ask(`POST /v1/pods/${id}/stop`)).status, 404);
  assert.equal((await ask(`POST /v1/pods/${other.id}/stop`)).status, 404);
  assert.equal(other.state, "SANDBOX_READY");
});

test("a prefix becomes ambiguous only by what is seen", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-2.1", { grants: ofDemo });
  const add = (namespace: string, end: string): string =>
    fake.addPod({ namespace, id: `abcd${end}`.padEnd(64, "0") }).id;
  const one = add("demo", "1");
  assert.equal((await ask("GET /v1/pods/abcd")).at("status.id"), one);
  add("other", "2");
  assert.equal((await ask("GET /v1/pods/abcd")).at("status.id"), one);
  assert.equal((await ask("GET /v1/pods/abcd2")).status, 404);
  const two = add("demo", "3");
  const ambiguous = await ask("GET /v1/pods/abcd");
  assert.deepEqual([ambiguous.status, ambiguous.at("candidates")], [409, [one, two]]);
});

test("the labels of a container do not decide, not even once its pod has been removed", async (t) => {
  for (const [grants, pod, sees] of [
    [views["given by label"], { team: "others" }, false],
    [views["given by label"], { team: "demo" }, true],
    [ofLabel, { tier: "db" }, false],
    [ofLabel, { tier: "web" }, true],
  ] as const) {
    const { fake, ask, dataDir } = await liveGateway(t, "containerd-2.1", { ...(grants && { grants }) });
    const labels = sees ? { team: "others", tier: "db" } : { team: "demo", tier: "web" };
    assert.equal((await ask("GET /v1/events")).status, 200);
    const { id, podId } = fake.addContainer({
      pod: fake.addPod({ labels: pod, config }),
      labels,
      state: "running",
    });
    await fake.exitContainer(id, 7);
    await eventually(async () => (await ask("GET /v1/events?since=1m")).text.includes(id) || !sees);
    await fake.perform("RuntimeService/RemoveContainer", { containerId: id });
    await fake.perform("RuntimeService/StopPodSandbox", { podSandboxId: podId });
    await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId: podId });
    const owner = {
      id,
      name: "app",
      attempt: 0,
      podSandboxId: podId,
      pod: "web",
      namespace: "default",
      labels,
    };
    keepLog(dataDir, "a/0.log", { ...owner, podLabels: pod }, "kept");
    assert.equal((await ask(`GET /v1/containers/${id}/logs`)).status, sees ? 200 : 404);
    assert.equal((await ask("GET /v1/events?since=1m")).text.includes(id), sees);
  }
});

test("nobody with a scope sees a kept log whose pod's labels are not known", async (t) => {
  const { ask, dataDir } = await liveGateway(t, "containerd-2.1", { grants: ofLabel });
  const id = "abcd".padEnd(64, "0");
  const owner = {
    id,
    name: "app",
    attempt: 0,
    podSandboxId: id,
    pod: "",
    namespace: "",
    labels: { tier: "web" },
  };
  keepLog(dataDir, "a/0.log", owner, "kept");
  assert.equal((await ask(`GET /v1/containers/${id}/logs`)).status, 404);
  assert.equal((await ask("GET /v1/logs")).text, "");
});

test("a container that has been removed is explained to who saw it", async (t) => {
  const { fake, ask, seen, hidden } = await scopedWorld(
    t,
    "containerd-2.1",
    views["given by namespace"] ?? assert.fail(),
  );
  await ask("GET /v1/events");
  for (const containerId of [seen.running, hidden.running]) {
    await fake.exitContainer(containerId, 7);
    await eventually(async () => (await ask("GET /v1/events?since=1m")).text.includes(seen.running));
    await fake.perform("RuntimeService/RemoveContainer", { containerId });
  }
  const explained = await ask(`GET /v1/containers/${seen.running}/post-mortem`);
  assert.deepEqual(
    [explained.status, explained.at("removed"), explained.at("exit.exitCode")],
    [200, true, 7],
  );
  assert.equal((await ask(`GET /v1/containers/${hidden.running}/post-mortem`)).status, 404);
});
