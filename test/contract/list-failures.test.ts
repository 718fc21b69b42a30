/** Lists with a member that cannot be read, and lists that do not fit into a reply of the runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { type Answerer, failing, type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";
import { containerd } from "./situations.ts";

const lines = { accept: "application/x-ndjson" };
const withPodStats = mannerNames.filter((name) => name !== "cri-dockerd");
const broken = failing(status.UNKNOWN, "cgroups: cgroup deleted");

/** Fails for the pod or the container with this id, and does the rest. */
const failingFor =
  (id: string): Answerer =>
  (request, call) =>
    JSON.stringify(request).includes(id) ? broken(request, call) : call.next();

interface Stats {
  readonly attributes: { readonly id: string };
}

const idsOf = (answer: Answer): readonly string[] =>
  (answer.at("stats") as readonly Stats[]).map(({ attributes }) => attributes.id);

for (const manner of withPodStats) {
  test(`listPodStats: one pod that cannot be measured does not take the others with it on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const config = { linux: { cgroupParent: "/crest" } };
    const [bad, ...good] = Array.from({ length: 3 }, () => fake.addPod({ config }).id);
    assert.ok(bad);
    fake.on("RuntimeService/ListPodSandboxStats", broken);
    fake.on("RuntimeService/StreamPodSandboxStats", broken);
    fake.on("RuntimeService/PodSandboxStats", failingFor(bad));

    const answer = await ask("GET /v1/stats/pods");
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(idsOf(answer), good.sort());
    const failure = {
      id: bad,
      code: "runtime_error",
      detail: "PodSandboxStats failed: cgroups: cgroup deleted",
    };
    assert.deepEqual(answer.at("failures"), [failure]);

    const page = await ask("GET /v1/stats/pods?limit=1");
    assert.equal(idsOf(page).length, 1);
    assert.deepEqual(page.at("failures"), [failure]);

    const streamed = (await ask("GET /v1/stats/pods", undefined, lines)).text.trimEnd().split("\n");
    assert.equal(streamed.length, 3);
    assert.deepEqual(JSON.parse(streamed.at(-1) ?? ""), { failure });
  });
}

for (const manner of mannerNames) {
  test(`listContainerStats: one container that cannot be measured does not take the others with it on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const [bad, ...good] = Array.from({ length: 3 }, () => fake.addContainer().id);
    assert.ok(bad);
    fake.on("RuntimeService/ListContainerStats", broken);
    fake.on("RuntimeService/StreamContainerStats", broken);
    fake.on("RuntimeService/ContainerStats", failingFor(bad));
    const answer = await ask("GET /v1/stats/containers");
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(idsOf(answer), good.sort());
    assert.equal(answer.at("failures.0.id"), bad);
    const streamed = await ask("GET /v1/stats/containers", undefined, lines);
    assert.equal(streamed.text.trimEnd().split("\n").length, 3);
  });
}

test("listContainerStats: filters hold where the stats are read one by one", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const wanted = fake.addContainer({ labels: { app: "web" } });
  fake.addContainer({ labels: { app: "db" } });
  fake.on("RuntimeService/ListContainerStats", broken);
  for (const filter of ["labelSelector=app=web", `id=${wanted.id}`, `pod=${wanted.podId}`]) {
    assert.deepEqual(idsOf(await ask(`GET /v1/stats/containers?${filter}`)), [wanted.id], filter);
  }
});

test("a list that is whole names no failures", async (t) => {
  const { ask, fake } = await liveGateway(t);
  fake.addContainer({ pod: fake.addPod({ config: { linux: { cgroupParent: "/crest" } } }) });
  for (const path of ["pods", "containers", "stats/pods", "stats/containers"]) {
    assert.equal((await ask(`GET /v1/${path}`)).at("failures"), undefined, path);
  }
});

test("a list of stats that the runtime does not have, or is too busy for, stays a problem", async (t) => {
  const cases = [
    [status.UNIMPLEMENTED, "not_implemented"],
    [status.INVALID_ARGUMENT, "invalid_request"],
    [status.DEADLINE_EXCEEDED, "deadline_exceeded"],
  ] as const;
  const { ask, fake } = await liveGateway(t);
  fake.addContainer();
  for (const [code, expected] of cases) {
    const undo = fake.on("RuntimeService/ListContainerStats", failing(code, "no"));
    assert.equal((await ask("GET /v1/stats/containers")).at("code"), expected);
    undo();
  }
  assert.equal(fake.callsOf("RuntimeService/ContainerStats").length, 0);
});

// ---- Lists that are too large ----

const mebibyte = 1024 * 1024;
const large = { note: "x".repeat(mebibyte) };

/** More metadata than a reply may have: 20 pods with a container each, each with 1 MiB. */
function fill({ fake }: LiveGateway) {
  const pods = Array.from({ length: 20 }, (_, index) =>
    fake.addPod({
      annotations: large,
      labels: { app: index === 7 ? "one" : "many" },
      config: { linux: { cgroupParent: "/crest" } },
    }),
  );
  const containers = pods.map((pod) => fake.addContainer({ pod, annotations: large }));
  return { pods, containers };
}

async function filled(t: Parameters<typeof liveGateway>[0], manner: MannerName) {
  const gateway = await liveGateway(t, manner);
  return { ...gateway, ...fill(gateway) };
}

const itemIds = (answer: Answer, items: string): readonly string[] =>
  (answer.at(items) as readonly { readonly id: string }[]).map(({ id }) => id).sort();
const sorted = (some: readonly { readonly id: string }[]): readonly string[] =>
  some.map(({ id }) => id).sort();

for (const manner of containerd) {
  test(`a list that is larger than a reply may be is whole on ${manner}`, async (t) => {
    const { ask, fake, pods, containers } = await filled(t, manner);
    const stopped = fake.addPod({ state: "not ready", annotations: large });
    const all = await ask("GET /v1/pods");
    assert.equal(all.status, 200, all.text.slice(0, 500));
    assert.deepEqual(itemIds(all, "items"), sorted([...pods, stopped]));
    assert.equal(all.at("items.0.annotations.note"), large.note);
    assert.deepEqual(itemIds(await ask("GET /v1/containers"), "containers"), sorted(containers));
    assert.deepEqual([...idsOf(await ask("GET /v1/stats/pods"))].sort(), sorted(pods));
    assert.deepEqual([...idsOf(await ask("GET /v1/stats/containers"))].sort(), sorted(containers));

    const first = await ask("GET /v1/pods?limit=1");
    assert.equal((first.at("items") as unknown[]).length, 1);
    const second = await ask(`GET /v1/pods?limit=1&continue=${first.at("continue")}`);
    assert.notEqual(second.at("items.0.id"), first.at("items.0.id"));
    const ready = await ask("GET /v1/pods?state=SANDBOX_READY");
    assert.deepEqual(itemIds(ready, "items"), sorted(pods));
    const labelled = await ask("GET /v1/pods?labelSelector=app=many&state=SANDBOX_READY");
    assert.equal(itemIds(labelled, "items").length, 19);
  });
}

for (const manner of mannerNames) {
  test(`an id may be shortened, however much metadata there is, on ${manner}`, async (t) => {
    const { ask, fake, pods, containers } = await filled(t, manner);
    const [pod, container] = [pods[3]?.id ?? "", containers[5]?.id ?? ""];
    assert.equal((await ask(`GET /v1/pods/${pod.slice(0, 12)}`)).at("status.id"), pod);
    assert.equal((await ask(`GET /v1/containers/${container.slice(0, 12)}`)).at("status.id"), container);
    assert.equal((await ask(`POST /v1/containers/${container.slice(0, 12)}/stop?timeout=0`)).status, 204);
    assert.equal(fake.containers.get(container)?.state, "CONTAINER_EXITED");
    assert.equal((await ask(`DELETE /v1/pods/${pod.slice(0, 12)}`)).status, 204);
    assert.ok(!fake.pods.has(pod));
    // Neither short nor there.
    for (const kind of ["pods", "containers"]) {
      const absent = await ask(`GET /v1/${kind}/${"0".repeat(20)}`);
      assert.equal(absent.at("code"), "not_found", absent.text);
    }
    const twins = ["a".repeat(63), "a".repeat(62)].map((id) => fake.addPod({ id: id.padEnd(64, "b") }));
    assert.equal(twins.length, 2);
    const several = await ask(`GET /v1/pods/${"a".repeat(12)}`);
    assert.equal(several.at("code"), "ambiguous_id", several.text);
  });
}

test("listPods: one pod that is larger than a reply by itself is named on containerd", async (t) => {
  const gateway = await liveGateway(t, "containerd-1.6");
  const { ask, fake } = gateway;
  const giant = fake.addPod({ annotations: { note: "x".repeat(17 * mebibyte) } });
  const others = [fake.addPod(), fake.addPod()];
  const answer = await ask("GET /v1/pods");
  assert.equal(answer.status, 200, answer.text.slice(0, 500));
  assert.deepEqual(itemIds(answer, "items"), sorted(others));
  assert.equal(answer.at("failures.0.id"), giant.id);
  assert.equal(answer.at("failures.0.code"), "reply_too_large");
});

test("listPods, listContainers: states that fit by themselves are put together on every runtime", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner);
    const ready = fake.addPod({ annotations: { note: "x".repeat(10 * mebibyte) } });
    const stopped = fake.addPod({ annotations: { note: "x".repeat(10 * mebibyte) }, state: "not ready" });
    const half = { annotations: { note: "x".repeat(10 * mebibyte) }, pod: ready };
    const containers = [fake.addContainer(half), fake.addContainer({ ...half, state: "exited" })];
    assert.deepEqual(itemIds(await ask("GET /v1/pods"), "items"), sorted([ready, stopped]), manner);
    assert.deepEqual(itemIds(await ask("GET /v1/containers"), "containers"), sorted(containers), manner);
  }
});

test("listPods: a runtime that gives no ids by themselves says that its reply is too large", async (t) => {
  const { ask } = await filled(t, "cri-dockerd");
  const answer = await ask("GET /v1/pods");
  assert.equal(answer.status, 502);
  assert.equal(answer.at("code"), "reply_too_large");
  // A selection that fits is answered.
  assert.equal(itemIds(await ask("GET /v1/pods?labelSelector=app=one"), "items").length, 1);
});

test("listContainers: what does not fit is read pod by pod, also where a pod's own containers are too large", async (t) => {
  for (const manner of ["cri-dockerd", "containerd-2.1"] as const) {
    const { ask, fake } = await liveGateway(t, manner);
    const crowded = fake.addPod();
    for (let index = 0; index < 17; index++) fake.addContainer({ pod: crowded, annotations: large });
    const quiet = fake.addContainer();
    const answer = await ask("GET /v1/containers");
    assert.equal(answer.status, 200, answer.text.slice(0, 500));
    assert.deepEqual(itemIds(answer, "containers"), [quiet.id], manner);
    assert.equal(answer.at("failures.0.id"), crowded.id);
  }
});
