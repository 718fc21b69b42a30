/** Rates between two readings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, roundOf } from "../../../src/stats/rates.ts";
import type { NodeReading, Usage } from "../../../src/stats/usage.ts";

function reading(time: number, usage: Usage): NodeReading {
  const common = { id: "c", name: "app", namespace: "demo", labels: {}, podLabels: {}, usage };
  return {
    time,
    containers: [{ ...common, podSandboxId: "p", pod: "web", image: "busybox" }],
    pods: [{ ...common, id: "p", uid: "u", ready: true, phase: "Running", createdAt: 1 }],
  };
}

/** The figures after each of some usages, a second apart unless `cpuTime` says otherwise. */
function figures(kind: "pod" | "container", ...usages: readonly Usage[]) {
  let before: ReturnType<typeof roundOf> | undefined;
  return usages.map((usage, second) => {
    before = roundOf(kind, reading(100 + second, { cpuTime: 100 + second, ...usage }), before);
    return figuresOf(before, 0);
  });
}

test("cores are CPU time over the time between the samples, and unknown in the first", () => {
  const cores = figures(
    "container",
    { cpuSeconds: 5 },
    { cpuSeconds: 6 },
    { cpuSeconds: 6.25 },
    { cpuSeconds: 6.25 },
  );
  assert.deepEqual(
    cores.map((one) => one.cores),
    [Number.NaN, 1, 0.25, 0],
  );
});

test("the time of a sample counts, not that of the reading: a sample that is answered again tells nothing", () => {
  const [, again, later] = figures(
    "container",
    { cpuSeconds: 5, cpuTime: 10 },
    { cpuSeconds: 5, cpuTime: 10 },
    { cpuSeconds: 9, cpuTime: 20 },
  );
  assert.equal(again?.cores, Number.NaN);
  assert.equal(later?.cores, 0.4);
});

test("a counter that went back was restarted: unknown, and never below 0", () => {
  const restarted = figures("container", { cpuSeconds: 50 }, { cpuSeconds: 1 }, { cpuSeconds: 2 });
  assert.deepEqual(
    restarted.map(({ cores }) => cores),
    [Number.NaN, Number.NaN, 1],
  );
});

test("traffic of all interfaces and devices is added", () => {
  const usage = (bytes: number): Usage => ({
    interfaces: ["eth0", "eth1"].map((name) => ({ name, receivedBytes: bytes, sentBytes: bytes * 2 })),
    devices: [{ name: "/dev/vda", readBytes: bytes, writtenBytes: bytes * 3, reads: 0, writes: 0 }],
  });
  const [, second] = figures("pod", usage(100), usage(150));
  assert.deepEqual(
    [
      second?.receivedBytesPerSecond,
      second?.sentBytesPerSecond,
      second?.readBytesPerSecond,
      second?.writtenBytesPerSecond,
    ],
    [100, 200, 50, 150],
  );
});

test("what is not told stays unknown", () => {
  for (const one of figures("container", {}, {})) assert.ok(Object.values(one).every(Number.isNaN));
});
