/** Pulls as resources, on the real containerd: progress, several callers, cancelling. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createContainerdClient } from "../../src/containerd/client.ts";
import { connect } from "../../src/cri/channel.ts";
import { pathsOf } from "../../src/embedded/paths.ts";
import type { AnswerOf } from "../../src/routes/answers.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultyRegistry, startFaultyRegistry } from "../support/faulty-registry.ts";
import { type LayeredImage, type LayerInit, layeredImage, throttled } from "../support/layered-image.ts";
import { digestOf } from "../support/registry.ts";
import { bodyOf, problemOf } from "./support/api.ts";
import { followPull } from "./support/follow-pull.ts";
import { reasonToSkip } from "./support/machine.ts";
import { useGateway } from "./support/suite.ts";

type Pull = AnswerOf<"getPull">;
type PullList = AnswerOf<"listPulls">;

const skip = await reasonToSkip();
const crest = useGateway(skip);

const mebibyte = 1024 * 1024;
const order = ["waiting", "downloading", "downloaded", "unpacking", "done"];

async function serve(t: TestContext, image: LayeredImage, bytesPerSecond: number): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry(image);
  registry.fault = throttled(image, bytesPerSecond);
  t.after(() => registry.close());
  return registry;
}

const pullsOf = async (image: string): Promise<readonly Pull[]> =>
  bodyOf(await crest().get<PullList>("/v1/pulls")).pulls.filter((pull) => pull.image === image);

const isThere = async (image: string): Promise<boolean> =>
  (await crest().get(`/v1/images/${image}`)).status === 200;

/** Whether containerd has nothing of an image: no blob that is written or complete, no snapshot in the making. */
async function isNothingLeft({ layers, manifest }: LayeredImage): Promise<boolean> {
  const runtime = connect({ runtimeEndpoint: pathsOf(crest().dataDir).socket });
  try {
    const client = createContainerdClient(runtime);
    const { statuses } = await client.call("Content/ListStatuses", {});
    const digests = [...layers.map(({ digest }) => digest), digestOf(manifest.bytes)];
    const filters = digests.map((digest) => `digest==${digest}`);
    let count = statuses.length;
    for await (const { info } of client.stream("Content/List", { filters })) count += info.length;
    const extracting = { snapshotter: "overlayfs", filters: ['kind==active,name~="^extract-"'] };
    for await (const { info } of client.stream("Snapshots/List", extracting)) count += info.length;
    return count === 0;
  } finally {
    runtime.close();
  }
}

test("a throttled pull reports each layer, never goes back, and sums to the total", { skip }, async (t) => {
  const init: LayerInit[] = [
    { randomBytes: 6 * mebibyte },
    { randomBytes: 3 * mebibyte },
    { randomBytes: mebibyte, zeroBytes: 300 * mebibyte },
    { randomBytes: 3 * mebibyte },
  ];
  const image = layeredImage(init);
  const registry = await serve(t, image, 1.5 * mebibyte);
  const reference = `${registry.address}/team/slow:1`;
  const followed = followPull(crest(), reference);
  const items = await followed.ended;
  const seen = items.flatMap(({ progress }) => (progress === undefined ? [] : [progress]));
  const result = items.at(-1)?.result;
  assert.ok(result?.imageRef, JSON.stringify(items.at(-1)));
  assert.ok(await isThere(result.imageRef));

  const last = seen.at(-1);
  const total = image.layers.reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual([last?.phase, last?.totalBytes, last?.downloadedBytes], ["done", total, total]);
  assert.deepEqual(
    last?.layers?.map(({ digest, state, sizeBytes }) => ({ digest, state, sizeBytes })),
    image.layers.map(({ digest, size }) => ({ digest, state: "done", sizeBytes: size })),
  );
  assert.ok((last?.layers?.[2]?.unpackedBytes ?? 0) > 300 * mebibyte, JSON.stringify(last));

  const known = seen.filter(({ layers }) => layers !== undefined);
  assert.ok(known.length > 5, `${known.length} items with layers`);
  for (const [index, one] of known.entries()) {
    const before = known[index - 1];
    assert.equal(one.totalBytes, total);
    assert.equal(
      one.layers?.reduce((sum, layer) => sum + layer.downloadedBytes, 0),
      one.downloadedBytes,
    );
    if (before === undefined) continue;
    assert.ok((one.downloadedBytes ?? 0) >= (before.downloadedBytes ?? 0), "bytes went back");
    for (const [at, layer] of (one.layers ?? []).entries()) {
      const earlier = before.layers?.[at];
      assert.ok(order.indexOf(layer.state) >= order.indexOf(earlier?.state ?? ""), "a state went back");
    }
  }
  const states = new Set(known.flatMap(({ layers = [] }) => layers.map(({ state }) => state)));
  for (const state of order) assert.ok(states.has(state as "done"), `${state} was never seen`);
  const unpacking = known.flatMap(({ layers = [] }) => layers.filter(({ state }) => state === "unpacking"));
  assert.ok(unpacking.some(({ unpackedBytes = 0 }) => unpackedBytes > 0));
  for (const { layers = [] } of known)
    assert.ok(layers.filter(({ state }) => state === "unpacking").length <= 1, "one layer at a time");

  const rates = known.flatMap(({ bytesPerSecond = 0 }) => (bytesPerSecond > 0 ? [bytesPerSecond] : []));
  assert.ok(rates.length > 0 && Math.max(...rates) < 20 * mebibyte, rates.join());
  assert.ok(known.some(({ etaMs = 0 }) => etaMs > 0));
  assert.ok(seen.every(({ elapsedMs, etaMs }) => etaMs === undefined || elapsedMs >= 3000));
  const times = followed.items.map(({ atMs }) => atMs);
  for (const [index, atMs] of times.slice(0, -2).entries()) {
    const fourLater = times.slice(0, -2)[index + 5];
    if (fourLater !== undefined) assert.ok(fourLater - atMs > 900, "more than four items a second");
  }
});

test("layers of an image that is there already exist, and count as downloaded", { skip }, async (t) => {
  const base = layeredImage([{ randomBytes: mebibyte }, { randomBytes: mebibyte }]);
  const first = await serve(t, base, 50 * mebibyte);
  bodyOf(await crest().post("/v1/images/pull", { image: `${first.address}/team/base:1` }));
  const image = layeredImage([{ randomBytes: 2 * mebibyte }], base);
  const second = await serve(t, image, mebibyte);
  const items = await followPull(crest(), `${second.address}/team/child:1`).ended;
  const known = items.flatMap(({ progress }) => (progress?.layers === undefined ? [] : [progress]));
  assert.ok(known.length > 2);
  for (const { layers = [], downloadedBytes = 0 } of known.slice(1)) {
    assert.deepEqual(
      layers.slice(0, 2).map(({ state }) => state),
      ["exists", "exists"],
    );
    assert.ok(downloadedBytes >= 2 * mebibyte);
  }
  assert.equal(known.at(-1)?.layers?.[2]?.state, "done");
});

test("the first of two callers leaves, and the second gets its image, 20 times", { skip }, async (t) => {
  for (let round = 0; round < 20; round++) {
    const image = layeredImage([{ randomBytes: mebibyte / 2 }, { randomBytes: mebibyte / 2 }]);
    const registry = await serve(t, image, 2 * mebibyte);
    const reference = `${registry.address}/team/shared:1`;
    const leaving = followPull(crest(), reference);
    const staying = crest().post<{ imageRef: string }>("/v1/images/pull", { image: reference });
    await eventually(async () => (await pullsOf(reference))[0]?.callers === 2);
    leaving.leave();
    const answer = await staying;
    bodyOf(answer);
    assert.ok(await isThere(answer.body.imageRef));
    assert.equal((await pullsOf(reference)).length, 1, "both were one pull");
  }
});

test("a cancelled pull tells its callers, and leaves nothing half on the node", { skip }, async (t) => {
  const image = layeredImage([{ randomBytes: 4 * mebibyte }, { randomBytes: 4 * mebibyte }]);
  const registry = await serve(t, image, mebibyte / 2);
  const reference = `${registry.address}/team/cancelled:1`;
  const waiting = crest().post("/v1/images/pull", { image: reference });
  const followed = followPull(crest(), reference);
  const [pull] = await eventually(async () => {
    const pulls = await pullsOf(reference);
    return (pulls[0]?.downloadedBytes ?? 0) > 0 && pulls;
  });
  const cancelled = bodyOf(await crest().delete<Pull>(`/v1/pulls/${pull?.id}`));
  assert.equal(cancelled.phase, "cancelled");
  problemOf(await waiting, 409, "pull_cancelled");
  assert.equal((await followed.ended).at(-1)?.error?.code, "pull_cancelled");
  assert.equal(await isThere(reference), false);
  await eventually(() => isNothingLeft(image));
  bodyOf(await crest().delete<Pull>(`/v1/pulls/${pull?.id}`));
  // The same image can be pulled at once.
  registry.fault = undefined;
  bodyOf(await crest().post("/v1/images/pull", { image: reference }));
  const [again] = await pullsOf(reference);
  assert.deepEqual([again?.phase, again?.downloadedBytes], ["done", again?.totalBytes]);
});

test("a pull whose callers have left is cancelled, unless it is detached", { skip }, async (t) => {
  const image = layeredImage([{ randomBytes: 3 * mebibyte }]);
  const registry = await serve(t, image, mebibyte);
  const left = `${registry.address}/team/left:1`;
  const leaving = followPull(crest(), left);
  await eventually(async () => ((await pullsOf(left))[0]?.downloadedBytes ?? 0) > 0);
  leaving.leave();
  await eventually(async () => (await pullsOf(left))[0]?.phase === "cancelled");
  assert.equal(await isThere(left), false);

  const detached = `${registry.address}/team/detached:1`;
  const starting = followPull(crest(), detached, "?detach=true");
  await eventually(async () => ((await pullsOf(detached))[0]?.downloadedBytes ?? 0) > 0);
  starting.leave();
  await eventually(async () => (await pullsOf(detached))[0]?.callers === 0);
  await eventually(async () => (await pullsOf(detached))[0]?.phase === "done", { timeoutMs: 30_000 });
  assert.ok(await isThere(detached));
});
