/** Pruning images and pods on the profile of every runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { managedLabel } from "../../src/runtimes/pod-config.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";

interface Pruned {
  readonly id: string;
  readonly reason: string;
  readonly bytes?: number;
  readonly removed: boolean;
  readonly repoTags: readonly string[];
  readonly managed: boolean;
  readonly containers: number;
}

const prunedIn = (answer: Answer, name: "images" | "pods"): readonly Pruned[] => {
  assert.equal(answer.status, 200, answer.text);
  return answer.at(name) as readonly Pruned[];
};
const idsIn = (answer: Answer, name: "images" | "pods"): readonly string[] =>
  prunedIn(answer, name).map(({ id }) => id);
const failuresIn = (answer: Answer) =>
  answer.at("failures") as readonly { readonly id: string; readonly code: string; readonly detail: string }[];

/** Images as the runtime writes their ids. */
async function imageIds({ ask }: LiveGateway): Promise<readonly string[]> {
  const images = (await ask("GET /v1/images")).at("images") as readonly { readonly id: string }[];
  return images.map(({ id }) => id);
}
const idOf = (ids: readonly string[], { digits }: { readonly digits: string }): string =>
  ids.find((id) => id.endsWith(digits)) ?? "";

const managed = { labels: { [managedLabel]: "true" } };

for (const manner of mannerNames) {
  test(`pruneImages removes what nothing uses and nothing else, and only when told to, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { fake, ask } = gateway;
    const used = fake.addImage({ tags: ["quay.io/team/used:1"] });
    const ended = fake.addImage({ tags: ["quay.io/team/ended:1"] });
    const pinned = fake.addImage({ tags: ["quay.io/team/pinned:1"], pinned: true });
    const unused = fake.addImage({
      tags: ["quay.io/team/unused:1", "quay.io/team/unused:2"],
      sizeBytes: 1234,
    });
    // Its tag has moved on.
    const untagged = fake.addImage({ tags: ["quay.io/team/moved:1"], digits: "1".repeat(64) });
    fake.addImage({ tags: ["quay.io/team/moved:1"], digits: "2".repeat(64) });
    const pod = fake.addPod();
    fake.addContainer({ pod, image: "quay.io/team/used:1" });
    fake.addContainer({ pod, image: "quay.io/team/ended:1", state: "exited" });
    const before = await imageIds(gateway);
    // Neither containerd 1.6 nor cri-dockerd says what is pinned.
    const saysPinned = manner !== "containerd-1.6" && manner !== "cri-dockerd";
    const kept = [used, ended, ...(saysPinned ? [pinned] : [])];

    const dry = await ask("POST /v1/images/prune");
    const candidates = prunedIn(dry, "images");
    const found = candidates.find(({ id }) => id === idOf(before, unused));
    assert.equal(dry.at("dryRun"), true);
    assert.deepEqual(
      [found?.reason, found?.bytes, found?.removed, found?.repoTags.length],
      ["unused", 1234, false, 2],
    );
    assert.equal(candidates.find(({ id }) => id === idOf(before, untagged))?.reason, "untagged");
    for (const image of kept)
      assert.ok(!idsIn(dry, "images").includes(idOf(before, image)), image.repoTags[0]);
    assert.ok(candidates.every(({ repoTags }) => !repoTags.some((tag) => tag.includes("/pause:"))));
    assert.deepEqual(await imageIds(gateway), before);
    assert.deepEqual(fake.callsOf("ImageService/RemoveImage"), []);

    const some = await ask("POST /v1/images/prune?dryRun=false&untagged=true");
    assert.deepEqual(idsIn(some, "images"), [idOf(before, untagged)]);
    assert.equal(prunedIn(some, "images")[0]?.removed, true);
    const all = await ask("POST /v1/images/prune?dryRun=false");
    assert.deepEqual(failuresIn(all), []);
    assert.deepEqual(
      [...idsIn(all, "images"), ...idsIn(some, "images")].sort(),
      [...idsIn(dry, "images")].sort(),
    );
    const sum = prunedIn(all, "images").reduce((bytes, image) => bytes + (image.bytes ?? 0), 0);
    assert.equal(all.at("bytes"), sum);
    const left = await imageIds(gateway);
    assert.deepEqual(
      left,
      before.filter((id) => !idsIn(dry, "images").includes(id)),
    );
    assert.deepEqual(idsIn(await ask("POST /v1/images/prune?dryRun=false"), "images"), []);
  });

  test(`pruneImages names what it cannot remove, and removes the others, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { fake, ask } = gateway;
    const stuck = fake.addImage({ tags: ["quay.io/team/stuck:1"] });
    const free = fake.addImage({ tags: ["quay.io/team/free:1"] });
    const before = await imageIds(gateway);
    fake.on("ImageService/RemoveImage", (request, { next }) => {
      if (JSON.stringify(request).includes(stuck.digits)) throw new Error("device or resource busy");
      return next();
    });
    const answer = await ask("POST /v1/images/prune?dryRun=false");
    const removed = new Map(prunedIn(answer, "images").map((image) => [image.id, image.removed]));
    assert.equal(removed.get(idOf(before, stuck)), false);
    assert.equal(removed.get(idOf(before, free)), true);
    const [failure, ...others] = failuresIn(answer);
    assert.deepEqual([failure?.id, others], [idOf(before, stuck), []]);
    assert.match(failure?.detail ?? "", /device or resource busy/);
  });

  test(`prunePods removes the stopped pods of Crest, and others only when told to, on ${manner}`, async (t) => {
    const { fake, ask } = await liveGateway(t, manner);
    const stopped = fake.addPod({ name: "stopped", config: managed, state: "not ready" });
    fake.addContainer({ pod: stopped, state: "exited" });
    fake.addPod({ name: "ready", config: managed });
    const kubelets = fake.addPod({ name: "kubelets", state: "not ready" });
    // The pod's own process was killed; its container was not.
    const busy = fake.addPod({ name: "busy", config: managed, state: "not ready" });
    fake.addContainer({ pod: busy, state: "running" });
    const unclear = fake.addPod({ name: "unclear", config: managed, state: "not ready" });
    fake.addContainer({ pod: unclear, state: "unknown" });

    const dry = await ask("POST /v1/pods/prune");
    assert.deepEqual(idsIn(dry, "pods"), [stopped.id]);
    const [candidate] = prunedIn(dry, "pods");
    assert.deepEqual(
      [candidate?.containers, candidate?.managed, candidate?.removed, candidate?.reason],
      [1, true, false, "stopped"],
    );
    assert.equal(fake.pods.size, 5);
    const everyones = await ask("POST /v1/pods/prune?unmanaged=true");
    assert.deepEqual([...idsIn(everyones, "pods")].sort(), [stopped.id, kubelets.id].sort());

    const done = await ask("POST /v1/pods/prune?dryRun=false");
    assert.deepEqual([idsIn(done, "pods"), failuresIn(done)], [[stopped.id], []]);
    assert.equal(prunedIn(done, "pods")[0]?.removed, true);
    assert.ok(!fake.pods.has(stopped.id));
    assert.equal(fake.pods.size, 4);
  });
}

test("prunePods filters by age, labels and namespace", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = (name: string, namespace: string, app: string, hours: number) =>
    fake.addPod({
      ...{ name, namespace, state: "not ready" },
      createdAtNanos: BigInt(Date.now() - hours * 3_600_000) * 1_000_000n,
      config: { labels: { ...managed.labels, app } },
    });
  const [a, b, c] = [pod("a", "one", "web", 50), pod("b", "two", "web", 10), pod("c", "one", "db", 1)];
  const idsOf = async (query: string) => idsIn(await ask(`POST /v1/pods/prune?${query}`), "pods");
  assert.deepEqual(await idsOf(""), [a.id, b.id, c.id]);
  assert.deepEqual(await idsOf("olderThan=2d"), [a.id]);
  assert.deepEqual(await idsOf("olderThan=5h"), [a.id, b.id]);
  assert.deepEqual(await idsOf("labelSelector=app%3Dweb"), [a.id, b.id]);
  assert.deepEqual(await idsOf("labelSelector=app+notin+(web)"), [c.id]);
  assert.deepEqual(await idsOf("namespace=one&labelSelector=app%3Dweb"), [a.id]);
  assert.deepEqual(await idsOf("namespace=none"), []);
  for (const query of [
    "olderThan=2",
    "olderThan=",
    "olderThan=two+days",
    "labelSelector=%3D",
    "dryRun=maybe",
    "all=1",
  ]) {
    const answer = await ask(`POST /v1/pods/prune?dryRun=false&${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.at("errors.0.parameter"), query.split("=")[0]);
  }
  assert.equal(fake.pods.size, 3);
});

test("prunePods needs the grant unmanaged for others' pods, however the parameter is written", async (t) => {
  const remove = { all: false, allow: { remove: true }, deny: {} } as const;
  const { ask } = await liveGateway(t, "containerd-2.1", { grants: remove });
  assert.equal((await ask("POST /v1/pods/prune?unmanaged=false")).status, 200);
  for (const word of ["unmanaged", "unmanaged=true", "unmanaged=1", "unmanaged=T"]) {
    const answer = await ask(`POST /v1/pods/prune?${word}`);
    assert.deepEqual([answer.status, answer.at("grants")], [403, ["unmanaged"]], word);
  }
});

test("prunePods names the pod that it cannot remove, and removes the others", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pods = ["a", "b", "c"].map((name) => fake.addPod({ name, config: managed, state: "not ready" }));
  const stuck = pods[1]?.id;
  fake.on("RuntimeService/RemovePodSandbox", (request, { next }) => {
    if (request.podSandboxId === stuck) throw new Error("device or resource busy");
    return next();
  });
  const answer = await ask("POST /v1/pods/prune?dryRun=false");
  assert.deepEqual(
    prunedIn(answer, "pods").map(({ removed }) => removed),
    [true, false, true],
  );
  assert.deepEqual(
    failuresIn(answer).map(({ id }) => id),
    [stuck],
  );
  assert.deepEqual([...fake.pods.keys()], [stuck]);
});

test("prunePods answers without bytes when the runtime cannot measure", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod({ config: managed, state: "not ready" });
  fake.addContainer({ pod, state: "exited" });
  fake.on("RuntimeService/ListContainerStats", () => {
    throw new Error("cgroup deleted");
  });
  const answer = await ask("POST /v1/pods/prune?dryRun=false");
  assert.deepEqual([idsIn(answer, "pods"), answer.at("pods.0.bytes")], [[pod.id], undefined]);
  assert.ok(!fake.pods.has(pod.id));
});

test("pruneImages keeps an image that a container mounts, and one that gets a container meanwhile", async (t) => {
  const gateway = await liveGateway(t);
  const { fake, ask } = gateway;
  const mounted = fake.addImage({ tags: ["quay.io/team/data:1"] });
  const late = fake.addImage({ tags: ["quay.io/team/late:1"] });
  fake.addContainer({});
  const before = await imageIds(gateway);
  fake.on("RuntimeService/ContainerStatus", async (_request, { next }) => {
    const answer = await next();
    const mounts = [{ containerPath: "/data", image: { image: "quay.io/team/data:1" } }];
    return { ...answer, status: { ...(answer.status as object), mounts } };
  });
  let lists = 0;
  fake.on("RuntimeService/ListContainers", (_request, { next }) => {
    lists += 1;
    if (lists === 2) fake.addContainer({ image: "quay.io/team/late:1" });
    return next();
  });
  const answer = await ask("POST /v1/images/prune?dryRun=false");
  assert.ok(!idsIn(answer, "images").includes(idOf(before, mounted)));
  assert.deepEqual(
    failuresIn(answer).map(({ id, code }) => [id, code]),
    [[idOf(before, late), "image_in_use"]],
  );
  const left = await imageIds(gateway);
  for (const image of [mounted, late]) assert.ok(left.includes(idOf(before, image)));
});

test("pruneImages removes nothing when it cannot know what is used", async (t) => {
  for (const rpc of ["RuntimeService/ListContainers", "RuntimeService/Status"] as const) {
    const gateway = await liveGateway(t);
    const { fake, ask } = gateway;
    fake.addImage({ tags: ["quay.io/team/unused:1"] });
    fake.on(rpc, () => {
      throw new Error("broken");
    });
    assert.equal((await ask("POST /v1/images/prune?dryRun=false")).status, 502);
    assert.deepEqual(fake.callsOf("ImageService/RemoveImage"), []);
  }
});
