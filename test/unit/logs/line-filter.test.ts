/** How lines are recognized: levels, the text that a pattern needs, times, cursors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCursor, parseCursor } from "../../../src/logs/cursor.ts";
import { orderNames } from "../../../src/logs/log-chain.ts";
import { fieldsOf, levelOf } from "../../../src/logs/log-level.ts";
import { timeOf } from "../../../src/logs/log-time.ts";
import { requiredLiteral } from "../../../src/logs/required-literal.ts";

test("levelOf() recognizes what programs write, and does not guess between two", () => {
  for (const [text, level] of [
    ["E0806 14:55:55.980915       1 main.go:5] failed", "error"],
    ["INFO started", "info"],
    ["info: started", "info"],
    ["2026-11-29 10:00:00 [WARN] disk", "warn"],
    ['time="x" level=debug msg="error"', "debug"],
    ["\u001b[31mERROR\u001b[0m failed", "error"],
    ["10:00:00 main FATAL stop", "fatal"],
    ['{"level":30,"msg":"pino"}', "info"],
    ['{"severity":"CRITICAL"}', "fatal"],
    ['{"@l":"Warning"}', "warn"],
    ['{"log.level":"error"}', "error"],
    ["x ERROR or WARN y", undefined],
    ["nothing of the kind", undefined],
    ["information desk is open to errors", "info"],
  ] as const)
    assert.equal(levelOf(text, fieldsOf(text)), level, text);
});

test("requiredLiteral() gives a text that every match contains, or none", () => {
  for (const [pattern, literal] of [
    ["timeout after [0-9]+ms", "timeout after "],
    ["a|bcd", ""],
    ["(?i)error", ""],
    ["abc+d", "abc"],
    ["abc*def", "def"],
    ["x{2,3}foo", "foo"],
    ["a{b|c}foo", ""],
    ["(one|two)three", "three"],
    ["\\d+ms", "ms"],
    ["\\Qa|b\\E", ""],
    ["\\.example\\.com$", ".example.com"],
    ["[abc]de[^]x]f", "de"],
    ["\\141bcd", ""],
  ] as const)
    assert.equal(requiredLiteral(pattern), literal, pattern);
});

test("timeOf() reads RFC 3339, and how long ago", () => {
  assert.deepEqual(timeOf("2026-11-29T12:00:00.5+02:00", 0), { seconds: 1795946400, nanos: 500_000_000 });
  assert.deepEqual(timeOf("10s", 25_000), { seconds: 15, nanos: 0 });
  assert.equal(timeOf("2026-11-29", 0), undefined);
});

test("parseCursor() reads what formatCursor() writes, and nothing else", () => {
  const key = { device: 64_769, inode: 123_456_789_012, firstRecord: "0123456789abcdef" };
  const positions = new Map([["a".repeat(12), { key, offset: 5_000_000_000, pending: { key, offset: 7 } }]]);
  const cursor = { time: { seconds: 1_795_946_400, nanos: 1 }, windowMs: 10_000, positions };
  const text = formatCursor(cursor);
  assert.deepEqual(parseCursor(text), cursor);
  for (const wrong of [
    "",
    "1",
    text.replace("1.", "2."),
    `${text}-1`,
    `${text}~x`,
    text.slice(0, -1).concat("!"),
    "1.1-1.1.".padEnd(9000, "a"),
  ])
    assert.equal(parseCursor(wrong), undefined, wrong.slice(0, 40));
});

test("orderNames() puts rotated files before the live one, the oldest first", () => {
  const names = [
    "0.log",
    "0.log.2",
    "0.log.10.gz",
    "0.log.20261129-100000.gz",
    "0.log.20261129-100000",
    "0.log.20261128-235959.gz",
    "0.log.tmp",
    "1.log",
    "0.log.20261129-100001.tmp",
  ];
  assert.deepEqual(orderNames("0.log", names), [
    "0.log.10.gz",
    "0.log.2",
    "0.log.20261128-235959.gz",
    "0.log.20261129-100000",
    "0.log",
  ]);
});
