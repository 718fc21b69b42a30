/** Entries of the log as lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { jsonLine, textLine } from "../../src/log-line.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;
const entry: LogEntry = {
  level: "info",
  message: "GET /v1/pods/{podSandboxId} 404",
  requestId: "r-1",
  method: "GET",
  route: "/v1/pods/{podSandboxId}",
  event: undefined,
  status: 404,
  code: "not_found",
  caller: "token",
  target: "pods/a b",
  durationMs: 1.25,
};

test("jsonLine() is one object on one line, with the time and without absent members", () => {
  const line = jsonLine(entry);
  assert.ok(line.endsWith("}\n"));
  const { time: at, ...rest } = JSON.parse(line);
  assert.match(at, time);
  const { event: _absent, ...given } = entry;
  assert.deepEqual(rest, given);
});

test("textLine() begins with time, level and message, and does not repeat what the message says", () => {
  const [at = "", ...words] = textLine(entry).split(" ");
  assert.match(at, time);
  assert.equal(
    words.join(" "),
    'info  GET /v1/pods/{podSandboxId} 404 requestId=r-1 code=not_found caller=token target="pods/a b" durationMs=1.25\n',
  );
});

test("an error of Crest has its stack, and a failure of the runtime its cause alone", () => {
  const bug = new Error("broken");
  const failure = new GatewayError("runtime_error", "Cannot list", { cause: new Error("the\nreason") });
  assert.equal(JSON.parse(jsonLine({ level: "error", message: "m", error: bug })).stack, bug.stack);
  const { cause, stack } = JSON.parse(jsonLine({ level: "warn", message: "m", error: failure }));
  assert.deepEqual([cause, stack], ["the\nreason", undefined]);
  const [first = "", ...more] = textLine({ level: "error", message: "m", error: bug }).trimEnd().split("\n");
  assert.match(first, / error m$/);
  assert.ok(more.length > 1);
  assert.ok(more.every((line) => line.startsWith("    ")));
  assert.match(textLine({ level: "warn", message: "m", error: failure }), / cause="the\\nreason"\n$/);
});

test("no text of a caller starts a line, moves a terminal or turns the direction of text", () => {
  const hostile = fc.string({
    unit: fc.constantFrom(
      "\n",
      "\r",
      "\u001b[2J",
      "\u009b2J",
      "\u0007",
      "\u2028",
      "\u202e",
      "\u2066",
      "\0",
      "a",
      '"',
      "\\",
    ),
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
  const acting = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
  fc.assert(
    fc.property(hostile, hostile, (text, target) => {
      const said: LogEntry = { level: "info", message: text, path: text, target };
      for (const line of [jsonLine(said), textLine(said)]) {
        assert.ok(line.endsWith("\n"));
        assert.doesNotMatch(line.slice(0, -1), acting);
      }
      assert.equal(JSON.parse(jsonLine(said)).target, target);
    }),
  );
});
