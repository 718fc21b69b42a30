import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../../../src/limits/default-limits.ts";

const capacity = { sessions: 1000, connections: 448, pulls: 256 };

test("one caller may use all that there is, unless the operator limits it", () => {
  assert.deepEqual(defaultLimits(capacity, { areSeveral: false }), {});
  assert.deepEqual(defaultLimits(capacity, { areSeveral: false, given: { pulls: 3 } }), { pulls: 3 });
});

test("of several callers, one alone leaves the others at least half of what all share", () => {
  const limits = defaultLimits(capacity, { areSeveral: true });
  assert.ok((limits.sessions ?? Number.NaN) + (limits.streams ?? Number.NaN) <= capacity.sessions / 2);
  assert.ok((limits.connections ?? Number.NaN) <= capacity.connections / 2);
  assert.ok((limits.pulls ?? Number.NaN) <= capacity.pulls / 2);
  assert.ok((limits.requestsPerSecond ?? 0) >= 500, "bursts of 500 lists a second pass");
  assert.equal(defaultLimits(capacity, { areSeveral: true, given: { streams: 7 } }).streams, 7);
});

test("each caller may have one of everything, however little there is", () => {
  const limits = defaultLimits({ sessions: 1, connections: 1, pulls: 1 }, { areSeveral: true });
  assert.ok(Object.values(limits).every((limit) => limit >= 1));
});
