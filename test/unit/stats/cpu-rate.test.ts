/** CPU rates between two readings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createCpuRates } from "../../../src/stats/cpu-rate.ts";

/** Reads at a time in milliseconds, with so much CPU time used until then. */
function bench(id = "a"): (ms: number, usedMs: number) => string | undefined {
  const rates = createCpuRates();
  return (ms, usedMs) => rates.rateOf(id, `${ms}000000`, `${usedMs}000000`);
}

test("a rate is what was used since the reading before, over the time since", () => {
  const read = bench();
  assert.equal(read(10_000, 500), undefined, "the first tells nothing");
  assert.equal(read(11_000, 1000), "500000000");
  assert.equal(read(13_000, 1000), "0");
});

test("readings of one moment have the rate of the first of them, whichever comes first", () => {
  const read = bench();
  read(10_000, 0);
  assert.equal(read(11_000, 250), "250000000");
  assert.equal(read(11_050, 251), "250000000");
  assert.equal(read(10_990, 249), "250000000");
});

test("a counter or a clock that went back begins anew", () => {
  const read = bench();
  read(10_000, 1000);
  assert.equal(read(11_000, 10), undefined);
  assert.equal(read(12_000, 110), "100000000");
  assert.equal(read(2_000, 120), undefined, "the clock was set");
  assert.equal(read(3_000, 320), "200000000");
});
