/** The model of a pull's progress: totals, rate, estimates and stalls, from what the runtime reported. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createProgress, type LayerProgress, type LayerState } from "../../../src/pulls/progress.ts";
import { createTransferRate } from "../../../src/pulls/transfer-rate.ts";

const layer = (digest: string, state: LayerState, downloadedBytes: number, unpackedBytes?: number) =>
  ({
    ...{ digest, state, sizeBytes: 1000, downloadedBytes },
    ...(unpackedBytes === undefined ? {} : { unpackedBytes }),
  }) satisfies LayerProgress;

function atTime() {
  let nowMs = 5000;
  const progress = createProgress(() => nowMs);
  return {
    progress,
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test("view() has phase and time alone while the layers are unknown", () => {
  const { progress, pass } = atTime();
  pass(1500);
  assert.deepEqual(progress.view(), { phase: "pulling", elapsedMs: 1500 });
  progress.resolving();
  assert.deepEqual(progress.view(), { phase: "resolving", elapsedMs: 1500 });
});

test("view() sums the layers, and counts those that exist as downloaded", () => {
  const { progress } = atTime();
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 250), layer("c", "waiting", 0)]);
  const { phase, totalBytes, downloadedBytes } = progress.view();
  assert.deepEqual([phase, totalBytes, downloadedBytes], ["downloading", 3000, 1250]);
  progress.observe([layer("a", "exists", 1000), layer("b", "done", 1000), layer("c", "unpacking", 1000, 5)]);
  assert.equal(progress.view().phase, "unpacking");
});

test("view() estimates the end only after 3 s, from what arrived since the first look", () => {
  const { progress, pass } = atTime();
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 0)]);
  pass(900);
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 90)]);
  assert.equal(progress.view().bytesPerSecond, undefined);
  pass(1100);
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 200)]);
  assert.deepEqual([progress.view().bytesPerSecond, progress.view().etaMs], [100, undefined]);
  pass(1000);
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 300)]);
  assert.deepEqual([progress.view().bytesPerSecond, progress.view().etaMs], [100, 7000]);
});

test("view() says for how long nothing has moved, from 3 s on; unpacking is movement", () => {
  const { progress, pass } = atTime();
  progress.observe([layer("a", "unpacking", 1000, 1), layer("b", "downloading", 10)]);
  pass(2999);
  assert.equal(progress.view().stalledForMs, undefined);
  pass(2);
  assert.equal(progress.view().stalledForMs, 3001);
  progress.observe([layer("a", "unpacking", 1000, 2), layer("b", "downloading", 10)]);
  assert.equal(progress.view().stalledForMs, undefined);
});

test("finish() completes the layers of a pull that succeeded, and stops the clock", () => {
  const { progress, pass } = atTime();
  progress.observe([layer("a", "exists", 1000), layer("b", "downloading", 10)]);
  pass(100);
  progress.finish("done");
  pass(100);
  progress.observe([layer("a", "waiting", 0)]);
  progress.finish("failed");
  assert.deepEqual(progress.view(), {
    phase: "done",
    elapsedMs: 100,
    totalBytes: 2000,
    downloadedBytes: 2000,
    layers: [layer("a", "exists", 1000), layer("b", "done", 1000)],
  });
});

test("finish() leaves the layers of a failed pull as they were", () => {
  const { progress } = atTime();
  progress.observe([layer("a", "downloading", 10)]);
  progress.finish("cancelled");
  assert.deepEqual(progress.view().layers, [layer("a", "downloading", 10)]);
});

test("version grows with each change, and with nothing else", () => {
  const { progress, pass } = atTime();
  progress.observe([layer("a", "downloading", 10)]);
  const { version } = progress;
  pass(1000);
  progress.observe([layer("a", "downloading", 10)]);
  progress.resolving();
  assert.equal(progress.version, version);
  progress.observe([layer("a", "downloading", 11)]);
  assert.ok(progress.version > version);
});

test("createTransferRate() covers the last 10 s, and keeps few samples' worth of memory", () => {
  const rate = createTransferRate();
  for (let atMs = 0; atMs <= 60_000; atMs += 250) rate.record(Math.min(atMs, 50_000), atMs);
  assert.equal(rate.bytesPerSecond(60_000), 0);
  assert.equal(rate.etaMs(1000, 60_000), undefined);
  for (let atMs = 60_250; atMs <= 70_000; atMs += 250) rate.record(50_000 + (atMs - 60_000) * 2, atMs);
  const found = rate.bytesPerSecond(70_000) ?? 0;
  assert.ok(found >= 1900 && found <= 2000, String(found));
});
