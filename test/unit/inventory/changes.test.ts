/** When a reading of the runtime is outdated. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, type NodeChanges, watchChanges } from "../../../src/inventory/changes.ts";

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
  report({ isFollowed: true, event: { type: "container.exited", exitCode: 3 } });
  assert.equal(watch.isCurrent(performance.now()), false, "CRI may lag behind the event");
  report({ isFollowed: false });
  assert.equal(watch.isCurrent(later(1100)), false);
  report({ isFollowed: true });
  assert.equal(watch.isCurrent(later(1100)), true);
  assert.equal(watch.isCurrent(later(-31_000)), false, "it is older than 30 s");
});
