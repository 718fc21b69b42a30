/** One reading for all who watch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { GatewayError } from "../../../src/errors.ts";
import { createCollector } from "../../../src/stats/collector.ts";
import type { Round } from "../../../src/stats/rates.ts";
import type { NodeReading } from "../../../src/stats/usage.ts";
import { eventually } from "../../support/eventually.ts";

/** A node whose only container uses half a core; `reads` counts its readings. */
function fakeNode() {
  const node = {
    reads: 0,
    failure: undefined as Error | undefined,
    async read(): Promise<NodeReading> {
      node.reads++;
      if (node.failure !== undefined) throw node.failure;
      const cpuTime = Date.now() / 1000;
      const usage = { cpuTime, cpuSeconds: cpuTime / 2 };
      const container = {
        id: "c",
        name: "app",
        namespace: "demo",
        labels: {},
        podLabels: {},
        image: "busybox",
        usage,
      };
      return { time: cpuTime, pods: [], containers: [{ ...container, podSandboxId: "p", pod: "web" }] };
    },
  };
  return node;
}

const pace = { intervalMs: 20, historyMs: 0 };

test("many watchers cost one reading each time, and the last one to leave ends the readings", async () => {
  const node = fakeNode();
  const collector = createCollector(node.read, { follow: () => undefined });
  const leaving = Array.from({ length: 50 }, () => new AbortController());
  assert.equal(node.reads, 0);
  const counts = leaving.map(() => 0);
  const readers = leaving.map(async ({ signal }, index) => {
    for await (const _round of await collector.watch("container", { ...pace, signal })) {
      counts[index] = (counts[index] ?? 0) + 1;
    }
  });
  await eventually(() => counts.every((count) => count >= 5));
  // A round may be told twice: a watcher that joins during the first reading shares it.
  assert.ok(node.reads < 50 + 2 * Math.max(...counts), `${node.reads} readings`);
  const before = node.reads;
  await eventually(() => counts.every((count) => count >= 10));
  assert.ok(node.reads - before < 20, `${node.reads - before} readings for 5 rounds of 50 watchers`);
  for (const one of leaving) one.abort();
  await Promise.allSettled(readers);
  await eventually(() => collector.watchers === 0 && collector.latest("container") === undefined);
  const after = node.reads;
  await delay(100);
  assert.equal(node.reads, after);
});

test("a watcher that leaves the loop is gone", async () => {
  const collector = createCollector(fakeNode().read, { follow: () => undefined });
  const { signal } = new AbortController();
  for await (const _round of await collector.watch("container", { ...pace, signal })) break;
  assert.equal(collector.watchers, 0);
});

test("the first round has no rate, and one after a pause in which nobody watched has none either", async () => {
  const collector = createCollector(fakeNode().read, { follow: () => undefined });
  for (let time = 0; time < 2; time++) {
    const cores: number[] = [];
    const { signal } = new AbortController();
    for await (const { values } of await collector.watch("container", { ...pace, signal })) {
      cores.push(values[0] ?? 0);
      if (cores.length === 3) break;
    }
    assert.equal(cores[0], Number.NaN);
    for (const rate of cores.slice(1)) assert.ok(Math.abs(rate - 0.5) < 0.01, String(rate));
    await eventually(() => collector.latest("container") === undefined);
  }
});

test("a slow watcher misses rounds instead of keeping them", async () => {
  const node = fakeNode();
  const collector = createCollector(node.read, { follow: () => undefined });
  const { signal } = new AbortController();
  const rounds: Round[] = [];
  for await (const round of await collector.watch("container", { ...pace, signal })) {
    rounds.push(round);
    if (rounds.length === 2) break;
    await eventually(() => node.reads >= 10);
  }
  assert.ok((rounds[1]?.time ?? 0) - (rounds[0]?.time ?? 0) > 0.1, "the second is the newest one");
});

test("history comes first, the oldest round at the beginning", async () => {
  const collector = createCollector(fakeNode().read, { follow: () => undefined });
  const { signal } = new AbortController();
  for await (const _round of await collector.watch("container", { ...pace, signal })) break;
  await eventually(() => collector.latest("container") === undefined);
  const times: number[] = [];
  const again = await collector.watch("container", { ...pace, historyMs: 60_000, signal });
  for await (const { time } of again) {
    times.push(time);
    if (times.length === 2) break;
  }
  assert.equal(times.length, 2);
  assert.ok((times[0] ?? 0) < (times[1] ?? 0));
});

test("a runtime that does not answer at first refuses, and one that falls silent is waited for", async () => {
  const node = fakeNode();
  const collector = createCollector(node.read, { follow: () => undefined });
  const { signal } = new AbortController();
  node.failure = new GatewayError("runtime_unavailable", "down");
  await assert.rejects(collector.watch("container", { ...pace, signal }), { code: "runtime_unavailable" });
  assert.equal(collector.watchers, 0);
  node.failure = undefined;
  let count = 0;
  for await (const _round of await collector.watch("container", { ...pace, signal })) {
    count++;
    if (count === 1) {
      node.failure = new GatewayError("runtime_unavailable", "down");
      const before = node.reads;
      setTimeout(() => {
        node.failure = undefined;
      }, 100);
      await eventually(() => node.reads > before);
    }
    if (count === 3) break;
  }
  assert.equal(count, 3);
});
