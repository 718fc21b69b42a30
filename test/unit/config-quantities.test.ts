import assert from "node:assert/strict";
import { test } from "node:test";
import {
  durationMs,
  formatDuration,
  formatSize,
  maxAgeMs,
  maxDurationMs,
  readCount,
  readDuration,
  readLogSize,
  readSize,
} from "../../src/config/quantities.ts";
import { StartError } from "../../src/errors.ts";

test("durationMs() reads numbers with units, decimals, several at once, and 0", () => {
  for (const [text, ms] of [
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["4h", 14_400_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4.5s6ms", 93_784_506],
    ["5.s", 5000],
    ["0.1ms", 1],
    ["1.1s", 1100],
  ] as const)
    assert.equal(durationMs(text), ms, text);
  const wrong = [
    "",
    "30",
    "m",
    "5x",
    "7w",
    "-1s",
    "+1s",
    ".5s",
    "1.2.3s",
    "1e3s",
    " 1s",
    "5m ",
    "1h 30m",
    "1H",
  ];
  for (const text of [...wrong, "1s".repeat(40), `${"9".repeat(40)}d`])
    assert.equal(durationMs(text), undefined, text);
});

test("readDuration() says what a duration is, and refuses more than the longest", () => {
  assert.equal(readDuration("24h"), maxDurationMs);
  assert.equal(readDuration("30d", maxAgeMs), 30 * 86_400_000);
  assert.equal(readDuration(formatDuration(maxAgeMs), maxAgeMs), maxAgeMs);
  const wrong = '"soon" is not a duration in the units ms, s, m, h or d, such as 30s, 1.5h or 1h30m';
  assert.throws(() => readDuration("soon"), new StartError(wrong));
  assert.throws(() => readDuration("25h"), new StartError('"25h" is over 1d, write 0 for no limit'));
  assert.throws(
    () => readDuration("4000d", maxAgeMs),
    new StartError('"4000d" is over 3650d, write 0 for no limit'),
  );
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
