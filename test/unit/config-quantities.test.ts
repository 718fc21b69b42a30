import assert from "node:assert/strict";
import { test } from "node:test";
import { readCount, readDuration, readSize } from "../../src/config/quantities.ts";
import { StartError } from "../../src/errors.ts";

test("readDuration() reads every unit, and 0 without one", () => {
  const texts = { "0": 0, "250ms": 250, "30s": 30_000, "5m": 300_000, "4h": 14_400_000, "24h": 86_400_000 };
  for (const [text, ms] of Object.entries(texts)) assert.equal(readDuration(text), ms, text);
});

test("readDuration() refuses what is no duration, and what no timer holds", () => {
  for (const text of ["", "30", "1.5h", "-1s", "s", "00s", "1d", "25h", "1h30m", " 1s"]) {
    assert.throws(() => readDuration(text), StartError, text);
  }
});

test("readCount() takes whole numbers from 1", () => {
  assert.equal(readCount("1000"), 1000);
  for (const text of ["0", "-1", "1e3", "", "many", "1.0", "99999999"]) {
    assert.throws(() => readCount(text), StartError, text);
  }
});

test("readSize() reads MiB and GiB, from 16 MiB", () => {
  assert.equal(readSize("16MiB"), 16_777_216);
  assert.equal(readSize("2GiB"), 2_147_483_648);
  for (const text of ["", "0MiB", "15MiB", "1", "1MB", "1.5GiB", "-1MiB", "1 MiB", "1KiB", "1mib"]) {
    assert.throws(() => readSize(text), StartError, text);
  }
});
