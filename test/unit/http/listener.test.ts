/** How much of a request is kept before it has come whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { headerLimit } from "../../../src/http/listener.ts";

const kibibyte = 1024;

test("headerLimit() leaves room for a long command, and shrinks as connections come", () => {
  assert.equal(headerLimit(0), 384 * kibibyte);
  assert.equal(headerLimit(100), 384 * kibibyte);
  assert.equal(headerLimit(1000), 67_108);
  assert.equal(headerLimit(100_000), 16 * kibibyte);
});

test("headerLimit() bounds what a flood of unfinished requests can hold", () => {
  let held = 0;
  for (let connections = 0; connections < 4000; connections++) held += headerLimit(connections);
  assert.ok(held < 350 * kibibyte * kibibyte, `${held} bytes`);
});
