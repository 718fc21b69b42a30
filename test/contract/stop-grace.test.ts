/** The grace of containers that are stopped on the way to something else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failing, type MannerName, mannerNames, type RpcName } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const others = mannerNames.filter((name) => name !== "cri-o");

/** What the runtime was asked to stop or to remove, in its order, with the grace. */
function stopsOf({ fake }: LiveGateway): readonly string[] {
  const acts: readonly RpcName[] = [
    "RuntimeService/StopContainer",
    "RuntimeService/StopPodSandbox",
    "RuntimeService/RemovePodSandbox",
    "RuntimeService/RemoveContainer",
  ];
  return fake.calls
    .filter(({ rpc }) => acts.includes(rpc))
    .map(({ rpc, request }) => {
      const name = rpc.replace("RuntimeService/", "");
      return name === "StopContainer" ? `${name} ${request.timeout ?? 0}` : name;
    });
}

/** A pod with a container that ignores SIGTERM, one that obeys, and one that has ended. */
async function podOf(t: Parameters<typeof liveGateway>[0], manner: MannerName) {
  const gateway = await liveGateway(t, manner);
  const pod = gateway.fake.addPod();
  const stubborn = gateway.fake.addContainer({ pod, onTerm: "ignore" });
  const obedient = gateway.fake.addContainer({ pod, onTerm: 7 });
  gateway.fake.addContainer({ pod, state: "exited" });
  return { ...gateway, pod, stubborn, obedient };
}

test("stopPod: a container that ignores SIGTERM does not hold the stop up on CRI-O", async (t) => {
  const gateway = await podOf(t, "cri-o");
  assert.equal((await gateway.ask(`POST /v1/pods/${gateway.pod.id}/stop`)).status, 204);
  assert.deepEqual(stopsOf(gateway), ["StopContainer 0", "StopContainer 0", "StopPodSandbox"]);
  assert.equal(gateway.stubborn.state, "CONTAINER_EXITED");
});

test("removePod, removeContainer: a container that ignores SIGTERM does not hold it up on CRI-O", async (t) => {
  const gateway = await podOf(t, "cri-o");
  assert.equal((await gateway.ask(`DELETE /v1/pods/${gateway.pod.id}`)).status, 204);
  assert.deepEqual(stopsOf(gateway), ["StopContainer 0", "StopContainer 0", "RemovePodSandbox"]);
  const { id } = gateway.fake.addContainer({ onTerm: "ignore" });
  gateway.fake.calls.length = 0;
  assert.equal((await gateway.ask(`DELETE /v1/containers/${id}`)).status, 204);
  assert.deepEqual(stopsOf(gateway), ["StopContainer 0", "RemoveContainer"]);
});

test("stopPod: without a timeout other runtimes are asked for the pod alone", async (t) => {
  for (const manner of others) {
    const gateway = await podOf(t, manner);
    assert.equal((await gateway.ask(`POST /v1/pods/${gateway.pod.id}/stop`)).status, 204);
    assert.deepEqual(stopsOf(gateway), ["StopPodSandbox"]);
    assert.equal(gateway.obedient.exitCode, 137, manner);
  }
});

test("stopPod: with a timeout the containers get it before the pod is stopped, on every runtime", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await podOf(t, manner);
    assert.equal((await gateway.ask(`POST /v1/pods/${gateway.pod.id}/stop?timeout=1`)).status, 204);
    assert.deepEqual(stopsOf(gateway), ["StopContainer 1", "StopContainer 1", "StopPodSandbox"]);
    assert.equal(gateway.obedient.exitCode, 7, manner);
    assert.equal(gateway.stubborn.exitCode, 137, manner);
    assert.equal(gateway.pod.state, "SANDBOX_NOTREADY");
  }
});

test("stopPod: a container that cannot be stopped is told before the pod is touched", async (t) => {
  const gateway = await podOf(t, "cri-o");
  gateway.fake.on("RuntimeService/StopContainer", failing(2, "the monitor is gone"));
  const answer = await gateway.ask(`POST /v1/pods/${gateway.pod.id}/stop`);
  assert.equal(answer.status, 502);
  assert.match(String(answer.at("detail")), /the monitor is gone/);
  assert.ok(!stopsOf(gateway).includes("StopPodSandbox"));
});

test("removePod: is by force, also where a container cannot be stopped first", async (t) => {
  const gateway = await podOf(t, "cri-o");
  gateway.stubborn.onTerm = 0;
  gateway.fake.on("RuntimeService/StopContainer", failing(2, "the monitor is gone"));
  assert.equal((await gateway.ask(`DELETE /v1/pods/${gateway.pod.id}`)).status, 204);
  assert.equal(gateway.fake.pods.size, 0);
});

test("stopPod: a timeout that is no number of seconds is refused", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const { id } = fake.addPod();
  for (const timeout of ["-1", "1.5", "x", "86401", ""]) {
    const answer = await ask(`POST /v1/pods/${id}/stop?timeout=${timeout}`);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.at("errors.0.parameter"), "timeout");
  }
});
