/** How the log reaches a reader that is fast, slow or gone. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createLogOutput, type LogStream } from "../../src/log-output.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";

/** A stream whose reader reads when told. */
class Reader implements LogStream {
  readonly writes: string[] = [];
  readonly #waiting: (() => void)[] = [];
  writableLength = 0;
  destroyed = false;

  write(text: string, written: () => void = () => undefined): boolean {
    this.writes.push(text);
    this.writableLength += text.length;
    this.#waiting.push(written);
    return false;
  }

  read(): void {
    this.writableLength = 0;
    for (const written of this.#waiting.splice(0)) written();
  }
}

const format = ({ message }: LogEntry): string => `${message}\n`;
const info = (message: string): LogEntry => ({ level: "info", message });

/** Lets lines be gathered for `ms`. */
function passTime(t: TestContext): (ms: number) => void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  return (ms) => t.mock.timers.tick(ms);
}

test("log() gathers entries for 20 ms and writes them together", (t) => {
  const pass = passTime(t);
  const reader = new Reader();
  const { log } = createLogOutput(reader, format);
  log(info("a"));
  pass(19);
  log(info("b"));
  assert.deepEqual(reader.writes, []);
  pass(1);
  log(info("c"));
  pass(20);
  assert.deepEqual(reader.writes, ["a\nb\n", "c\n"]);
});

test("log() writes warnings and errors at once, after the entries before them", () => {
  for (const level of ["warn", "error"] as const) {
    const reader = new Reader();
    const { log } = createLogOutput(reader, format);
    log(info("before"));
    log({ level, message: "now" });
    assert.deepEqual(reader.writes, ["before\nnow\n"]);
  }
});

test("flush() writes what was gathered, once", (t) => {
  const pass = passTime(t);
  const reader = new Reader();
  const { log, flush } = createLogOutput(reader, format);
  log(info("a"));
  flush();
  pass(20);
  assert.deepEqual(reader.writes, ["a\n"]);
});

test("log() drops what a slow reader has no room for, and says how much once there is room", (t) => {
  const pass = passTime(t);
  const reader = new Reader();
  const { log } = createLogOutput(reader, format, { maxWaitingBytes: 100 });
  for (let index = 0; index < 1000; index++) {
    log(info("123456789"));
    if (index % 10 === 0) pass(20);
  }
  pass(20);
  const kept = reader.writes.join("").split("\n").length - 1;
  assert.equal(kept, 11);
  assert.ok(reader.writableLength <= 120);
  reader.read();
  log(info("again"));
  pass(20);
  assert.equal(
    reader.writes.at(-1),
    `The log's reader is too slow: ${1000 - kept} entries were lost\nagain\n`,
  );
  log(info("more"));
  pass(20);
  assert.equal(reader.writes.at(-1), "more\n");
});

test("end() waits until everything is written, and says what was lost", async () => {
  const reader = new Reader();
  const { log, end } = createLogOutput(reader, format, { maxWaitingBytes: 5 });
  log(info("123456"));
  log(info("lost"));
  const ended = end();
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await nextTurn();
  assert.equal(isOver, false);
  assert.equal(reader.writes[0], "123456\nThe log's reader is too slow: 1 entry was lost\n");
  reader.read();
  await ended;
});

test("end() does not wait for a reader that stalls, and nothing is written to one that is gone", async () => {
  const stalled = new Reader();
  const output = createLogOutput(stalled, format, { endMs: 1 });
  output.log(info("a"));
  await output.end();
  const gone = new Reader();
  gone.destroyed = true;
  const other = createLogOutput(gone, format);
  other.log(info("a"));
  await other.end();
  assert.deepEqual(gone.writes, []);
});
