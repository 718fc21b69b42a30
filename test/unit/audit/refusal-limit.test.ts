import assert from "node:assert/strict";
import { test } from "node:test";
import { createRefusalLimit } from "../../../src/audit/refusal-limit.ts";

test("admits() takes a hundred at once and then one a second, and counts the others", () => {
  let now = 0;
  const limit = createRefusalLimit(() => now);
  const admitted = (): number => Array.from({ length: 150 }, limit.admits).filter(Boolean).length;
  assert.equal(admitted(), 100);
  assert.equal(limit.takeOmitted(), 50);
  assert.equal(limit.takeOmitted(), 0);
  now += 3000;
  assert.equal(admitted(), 3);
  now += 3_600_000;
  assert.equal(admitted(), 100);
});
