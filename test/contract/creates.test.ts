/** Creates that fail: what was there stays there, and nothing new is left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failing, hanging, held, mannerNames } from "../support/fake-runtime.ts";
import { type Answer, liveGateway } from "./live-gateway.ts";
import { app, containerd, web } from "./situations.ts";

/** Statuses and codes of answers, the successes first. */
const outcomes = (answers: readonly Answer[]): readonly string[] =>
  answers.map((answer) => (answer.status === 201 ? "201" : `${answer.status} ${answer.at("code")}`)).sort();

const oneOfFour = ["201", "409 name_reserved", "409 name_reserved", "409 name_reserved"];

for (const manner of mannerNames) {
  test(`runPod: one of four concurrent creates of a name succeeds on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask("POST /v1/pods", web)));
    assert.deepEqual(outcomes(answers), oneOfFour);
    assert.equal(fake.pods.size, 1);
  });

  test(`createContainer: one of four concurrent creates of a name succeeds on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { id } = fake.addPod();
    const create = () => ask(`POST /v1/pods/${id}/containers`, app);
    const answers = await Promise.all(Array.from({ length: 4 }, create));
    assert.deepEqual(outcomes(answers), oneOfFour);
    assert.equal(fake.containers.size, 1);
  });

  test(`runPod: a refused create leaves the stopped pod that has the name on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { id } = fake.addPod({ ...web.metadata, state: "not ready" });
    const answer = await ask("POST /v1/pods", web);
    assert.equal(answer.at("code"), "name_reserved", answer.text);
    assert.match(String(answer.at("detail")), new RegExp(id));
    assert.deepEqual([...fake.pods.keys()], [id]);
  });

  test(`createContainer: a refused create leaves the container that has the name on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    for (const state of ["created", "exited", "running"] as const) {
      const pod = fake.addPod();
      const container = fake.addContainer({ pod, name: "app", state });
      const answer = await ask(`POST /v1/pods/${pod.id}/containers`, app);
      assert.equal(answer.at("code"), "name_reserved", answer.text);
      assert.match(String(answer.at("detail")), new RegExp(container.id));
      assert.ok(fake.containers.has(container.id), state);
    }
  });

  test(`runPod: a failed run leaves no pod on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    if (manner === "cri-o") fake.on("RuntimeService/RunPodSandbox", failing(2, "no space left on device"));
    const answer = await ask("POST /v1/pods", { ...web, linux: { sysctls: { "vm.swappiness": "1" } } });
    assert.ok(answer.status >= 400, answer.text);
    assert.equal(answer.at("podSandboxId"), undefined);
    assert.equal(fake.pods.size, 0);
  });
}

test("runPod: a create is refused while another one of its name is under way", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner);
    const slow = held();
    fake.on("RuntimeService/RunPodSandbox", slow.answer);
    const first = ask("POST /v1/pods", web);
    await slow.arrived;
    const second = await ask("POST /v1/pods", web);
    assert.equal(second.at("code"), "name_reserved", manner);
    assert.match(String(second.at("detail")), /"web" \(attempt 0\): another request is creating it$/);
    slow.release();
    assert.equal((await first).status, 201, manner);
    assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
  }
});

test("runPod: another attempt, namespace or uid is another name", async (t) => {
  const { ask, fake } = await liveGateway(t, "cri-dockerd");
  const others = [{}, { attempt: 1 }, { namespace: "prod" }, { uid: "u-2" }];
  const bodies = others.map((other) => ({ metadata: { ...web.metadata, ...other } }));
  const answers = await Promise.all(bodies.map((body) => ask("POST /v1/pods", body)));
  assert.deepEqual(outcomes(answers), ["201", "201", "201", "201"]);
  assert.equal(fake.pods.size, 4);
});

test("runPod: a create whose answer was lost gives its name free", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner, { deadlineMs: 500 });
    fake.on("RuntimeService/RunPodSandbox", hanging(), { once: true });
    assert.equal((await ask("POST /v1/pods", web)).at("code"), "outcome_unknown");
    assert.equal((await ask("POST /v1/pods", web)).status, 201, manner);
  }
});

test("runPod: what another client made meanwhile is not taken for a leftover", async (t) => {
  const { ask, fake } = await liveGateway(t, "cri-dockerd");
  fake.on("RuntimeService/RunPodSandbox", (request, call) => {
    fake.addPod({ ...web.metadata, state: "not ready", createdAtNanos: 1_000_000_000n });
    return failing(2, "disk is full")(request, call);
  });
  assert.equal((await ask("POST /v1/pods", web)).status, 502);
  assert.equal(fake.pods.size, 1);
});

for (const manner of containerd) {
  test(`runPod: a pod that a failed run left and nobody can remove is named on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    fake.breakNetwork("bad configuration");
    const answer = await ask("POST /v1/pods", web);
    assert.equal(answer.status, 502, answer.text);
    const [id] = [...fake.pods.keys()];
    assert.equal(answer.at("podSandboxId"), id);
    assert.match(String(answer.at("detail")), /failed \(add\): bad configuration\. Pod .* was left behind/);

    for (const target of [`POST /v1/pods/${id}/stop`, `DELETE /v1/pods/${id}`]) {
      const refused = await ask(target);
      assert.equal(refused.status, 502, refused.text);
      assert.equal(refused.at("code"), "network_teardown_failed");
      const detail = String(refused.at("detail"));
      assert.match(detail, /failed \(delete\): bad configuration\. Fix what the CNI plugin complains/);
      const removal = manner === "containerd-2.1" ? "sandboxes rm" : "containers delete";
      assert.ok(detail.includes(`${removal} ${id}" and restart containerd`), detail);
    }

    fake.breakNetwork(undefined);
    assert.equal((await ask(`DELETE /v1/pods/${id}`)).status, 204);
    assert.equal(fake.pods.size, 0);
  });
}

test("runPod: a container port of 0 is refused before the runtime sees it", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner);
    for (const mapping of [{ containerPort: 0, hostPort: 18681 }, { hostPort: 18681 }]) {
      const answer = await ask("POST /v1/pods", { ...web, portMappings: [mapping] });
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.at("errors.0.pointer"), "/portMappings/0/containerPort");
    }
    assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 0);
  }
});
