import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatDuration,
  formatSize,
  readAge,
  readCount,
  readDuration,
  readLogSize,
  readSize,
} from "../../src/config/quantities.ts";
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

test("readLogSize() reads KiB, MiB and GiB, with and without the B, and 0", () => {
  const sizes: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["64KiB", 65_536],
    ["10Mi", 10_485_760],
    ["10MiB", 10_485_760],
    ["1Gi", 2 ** 30],
  ];
  for (const [text, bytes] of sizes) {
    assert.equal(readLogSize(text), bytes);
    assert.equal(readLogSize(formatSize(bytes)), bytes);
  }
  for (const text of ["", "10", "10M", "10MB", "0Mi", "-1Mi", "1.5Gi", " 1Gi", "10mib", "10000000Gi"])
    assert.throws(() => readLogSize(text), StartError, text);
});

test("readAge() reads what readDuration() does, and days", () => {
  assert.equal(readAge("0"), 0);
  assert.equal(readAge("250ms"), 250);
  assert.equal(readAge("48h"), 172_800_000);
  assert.equal(readAge("7d"), 604_800_000);
  assert.equal(readAge(formatDuration(readAge("30d"))), 30 * 86_400_000);
  for (const text of ["", "7", "7w", "0d", "-1d", "1.5d", "4000d", " 7d"])
    assert.throws(() => readAge(text), StartError, text);
});
