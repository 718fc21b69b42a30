/** On the real containerd: prune takes what nothing uses, and pods can still be run afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListImagesResponse, ListPodSandboxResponse } from "../../src/gen/messages.ts";
import type { AnswerOf } from "../../src/routes/answers.ts";
import { assertDone, bodyOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { createContainer, exited, removePod, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);

const pruneImages = async (query = ""): Promise<AnswerOf<"pruneImages">> =>
  bodyOf(await crest().post<AnswerOf<"pruneImages">>(`/v1/images/prune${query}`));
const prunePods = async (query = ""): Promise<AnswerOf<"prunePods">> =>
  bodyOf(await crest().post<AnswerOf<"prunePods">>(`/v1/pods/prune${query}`));

test("prunePods removes stopped pods with their containers, and leaves the others", { skip }, async () => {
  const [stopped, ready] = [await runPod(crest()), await runPod(crest())];
  const ended = await runContainer(crest(), stopped, shell("dd if=/dev/zero of=/file bs=1M count=1"));
  await exited(crest(), ended);
  await runContainer(crest(), ready);
  assert.deepEqual((await prunePods()).pods, []);
  assertDone(await crest().post(`${stopped.path}/stop`));
  const dry = await prunePods();
  assert.deepEqual(
    dry.pods.map(({ id, containers, removed }) => [id, containers, removed]),
    [[stopped.id, 1, false]],
  );
  assert.deepEqual((await prunePods("?olderThan=1h")).pods, []);
  const done = await prunePods("?dryRun=false");
  assert.deepEqual(
    [done.pods.map(({ id, removed }) => [id, removed]), done.failures],
    [[[stopped.id, true]], []],
  );
  const { items } = bodyOf(await crest().get<ListPodSandboxResponse>("/v1/pods"));
  assert.deepEqual(
    items.map(({ id }) => id),
    [ready.id],
  );
  await removePod(crest(), ready);
});

test("pruneImages keeps what containers use and what pods start from", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod);
  assert.deepEqual((await pruneImages()).images, []);
  assertDone(await crest().delete(container.path));
  const dry = await pruneImages();
  const [busybox, ...others] = dry.images;
  assert.deepEqual([busybox?.reason, busybox?.removed, others], ["unused", false, []]);
  assert.ok(busybox?.repoTags.includes("docker.io/library/busybox:latest"));
  const done = await pruneImages("?dryRun=false");
  assert.deepEqual(
    [done.images.map(({ removed }) => removed), done.bytes, done.failures],
    [[true], dry.bytes, []],
  );
  assert.ok(done.bytes > 0);
  const { images } = bodyOf(await crest().get<ListImagesResponse>("/v1/images"));
  assert.equal(images.length, 1);
  // They still start.
  const later = await runPod(crest());
  for (const one of [pod, later]) await removePod(crest(), one);
});
