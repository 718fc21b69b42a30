/** Stops and removals that a runtime answers with OK without carrying them out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type MannerName, mannerNames, type RpcName } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { containerd } from "./situations.ts";

/** An operation, what it is about, and what its refusal says. */
const operations: readonly {
  readonly rpc: RpcName;
  readonly target: (gateway: LiveGateway) => string;
  readonly detail: RegExp;
}[] = [
  {
    rpc: "RuntimeService/StopContainer",
    target: ({ fake }) => `POST /v1/containers/${fake.addContainer().id}/stop`,
    detail:
      /^StopContainer failed: the runtime reported success, but container "[0-9a-f]{64}" is still running$/,
  },
  {
    rpc: "RuntimeService/RemoveContainer",
    target: ({ fake }) => `DELETE /v1/containers/${fake.addContainer({ state: "exited" }).id}`,
    detail:
      /^RemoveContainer failed: the runtime reported success, but container "[0-9a-f]{64}" is still there$/,
  },
  {
    rpc: "RuntimeService/StopPodSandbox",
    target: ({ fake }) => `POST /v1/pods/${fake.addPod().id}/stop`,
    detail: /^StopPodSandbox failed: the runtime reported success, but pod "[0-9a-f]{64}" is still ready$/,
  },
  {
    rpc: "RuntimeService/RemovePodSandbox",
    target: ({ fake }) => `DELETE /v1/pods/${fake.addPod().id}`,
    detail: /^RemovePodSandbox failed: the runtime reported success, but pod "[0-9a-f]{64}" is still there$/,
  },
  {
    rpc: "ImageService/RemoveImage",
    target: () => "DELETE /v1/images/busybox:1.36",
    detail:
      /^RemoveImage failed: the runtime reported success, but image "(sha256:)?[0-9a-f]{64}" is still there, with /,
  },
];

for (const { rpc, target, detail } of operations) {
  test(`${rpc}: OK without doing it is an error`, async (t) => {
    for (const manner of mannerNames) {
      const gateway = await liveGateway(t, manner);
      const asked = target(gateway);
      gateway.fake.on(rpc, {});
      const answer = await gateway.ask(asked);
      assert.equal(answer.status, 502, manner);
      assert.equal(answer.at("code"), "runtime_error");
      assert.match(String(answer.at("detail")), detail);
    }
  });
}

test("removeImage: an image that was imported by digest stays on containerd, and the answer says so", async (t) => {
  const removable = mannerNames.filter((name) => !containerd.includes(name));
  const removes = async (manner: MannerName) => {
    const gateway = await liveGateway(t, manner);
    gateway.fake.addImage({ tags: ["docker.io/library/kept:1"], importedByDigest: true });
    return gateway.ask("DELETE /v1/images/docker.io/library/kept:1");
  };
  for (const manner of containerd) {
    const answer = await removes(manner);
    assert.equal(answer.status, 502, answer.text);
    assert.match(
      String(answer.at("detail")),
      /with docker\.io\/library\/kept@sha256:\w+\. Remove it on the node/,
    );
  }
  for (const manner of removable) assert.equal((await removes(manner)).status, 200, manner);
});

test("stopContainer: a state that follows a moment later is not taken for a failure", async (t) => {
  const { ask, fake } = await liveGateway(t, "cri-o");
  const { id } = fake.addContainer();
  const running = await fake.perform("RuntimeService/ContainerStatus", { containerId: id });
  fake.on("RuntimeService/ContainerStatus", running, { once: true });
  assert.equal((await ask(`POST /v1/containers/${id}/stop`)).status, 204);
  assert.equal(fake.callsOf("RuntimeService/ContainerStatus").length, 2);
});
