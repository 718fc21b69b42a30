import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/nearest.ts";

const names = ["cpuQuota", "cpuPeriod", "memoryLimitInBytes", "oomScoreAdj"];

test("nearest() finds what a slip of the fingers meant", () => {
  for (const slip of ["cpuQuta", "cpuquota", "cpu_quotas", "CPUQuota", "puQuota"])
    assert.equal(nearest(slip, names), "cpuQuota");
  assert.equal(nearest("memoryLimitBytes", names), "memoryLimitInBytes");
});

test("nearest() does not guess for another word", () => {
  for (const word of ["labels", "x", "", "cpu", "a".repeat(100_000)])
    assert.equal(nearest(word, names), undefined, word.slice(0, 9));
});

test("nearest() counts two swapped letters as one slip, as short words need it", () => {
  for (const swapped of ["upt", "ptu"]) assert.equal(nearest(swapped, ["get", "put"]), "put");
});
