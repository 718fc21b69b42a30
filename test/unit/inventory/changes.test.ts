/** When a reading of the runtime is outdated. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, type NodeChanges, watchChanges } from "../../../src/inventory/changes.ts";
import { eventually } from "../../support/eventually.ts";

function fakeChanges() {
  let changed: (change: Change) => void = () => undefined;
  const changes: NodeChanges = {
    async onChange(options) {
      changed = options.changed;
      return true;
    },
  };
  return { changes, report: (change: Change) => changed(change) };
}

const later = (ms: number): number => performance.now() + ms;

test("isCurrent() is false until changes are followed, within a second of one, and during an outage", () => {
  const { changes, report } = fakeChanges();
  const watch = watchChanges(changes, { insteadOfMs: 1000, signal: new AbortController().signal });
  assert.equal(watch.isCurrent(later(5000)), false);
  report({ isFollowed: true });
  assert.equal(watch.isCurrent(performance.now()), false, "CRI may lag behind the beginning");
  assert.equal(watch.isCurrent(later(1100)), true);
  report({ isFollowed: false });
  assert.equal(watch.isCurrent(later(1100)), false);
  report({ isFollowed: true });
  assert.equal(watch.isCurrent(later(1100)), true);
  assert.equal(watch.isCurrent(later(-31_000)), false, "it is older than 30 s");
});

test("due() waits for a change, for as long as the reading is current", async () => {
  const { changes, report } = fakeChanges();
  const watch = watchChanges(changes, { insteadOfMs: 1, signal: new AbortController().signal });
  report({ isFollowed: true });
  const readAtMs = await eventually(() => {
    const now = performance.now();
    return watch.isCurrent(now) && now;
  });
  const due = watch.due(readAtMs);
  let isDue = false;
  void due.then(() => {
    isDue = true;
  });
  await new Promise(setImmediate);
  assert.equal(isDue, false);
  report({ isFollowed: true, event: { type: "container.exited", exitCode: 3 } });
  await due;
  assert.equal(watch.isCurrent(performance.now()), false, "one more reading follows");
});

test("due() resolves at the interval without events, at once for an old reading, and on abort", async () => {
  const leaving = new AbortController();
  const none: NodeChanges = { onChange: async () => false };
  const watch = watchChanges(none, { insteadOfMs: 10_000, signal: leaving.signal });
  await watch.due(performance.now() - 10_000);
  const due = watch.due(performance.now());
  leaving.abort();
  await due;
});
