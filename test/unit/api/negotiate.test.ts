import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { negotiate } from "../../../src/api/negotiate.ts";
import { GatewayError } from "../../../src/errors.ts";

const json = "application/json";
const lines = "application/x-ndjson";

const chosen = (accept: string | undefined): string => negotiate(accept, [json, lines]);

test("no Accept, an empty one and */* take the first", () => {
  for (const accept of [undefined, "", "  ", "*/*", "application/*", "*/*;q=0.1"])
    assert.equal(chosen(accept), json);
});

test("of equal qualities the one that the header names first wins", () => {
  for (const accept of [`${lines}, ${json}`, `${lines};q=0.5, ${json};q=0.5`, `${lines}, */*`])
    assert.equal(chosen(accept), lines, accept);
  for (const accept of [`${json},${lines}`, `*/*, ${lines}`, `text/html, application/*, ${lines}`])
    assert.equal(chosen(accept), json, accept);
});

test("the higher quality wins", () => {
  assert.equal(chosen(lines), lines);
  assert.equal(chosen(`${json};q=0.9, ${lines}`), lines);
  assert.equal(chosen(`${json};q=0.9, ${lines};q=0.8`), json);
  assert.equal(chosen(`*/*;q=0.1, ${lines};q=0.2`), lines);
});

test("the most specific range decides over a type", () => {
  assert.equal(chosen(`${json};q=0, */*`), lines);
  assert.equal(chosen(`${lines};q=0.1, application/*;q=0.9`), json);
  assert.equal(chosen(`*/*, application/*;q=0.1, ${lines};q=0.5`), lines);
  assert.equal(chosen(`application/*;q=0, ${lines}, */*`), lines);
});

test("case and spaces do not matter, and parameters are passed over", () => {
  const headers = [
    "Application/X-NDJSON",
    `  ${lines} ; q=1`,
    `${lines};charset=utf-8`,
    `${lines};Q=0.5;ext=1`,
  ];
  for (const accept of headers) assert.equal(chosen(accept), lines, accept);
});

test("what generated clients send is taken", () => {
  for (const accept of ["application/json, text/plain, */*", "text/html,application/xhtml+xml,*/*;q=0.8"]) {
    assert.equal(chosen(accept), json);
  }
  assert.equal(chosen("application/problem+json, application/json"), json);
  const ofLogs = ["text/plain", json, lines] as const;
  assert.equal(negotiate("application/json, text/plain, application/problem+json", ofLogs), json);
});

test("what is not offered is not acceptable, and the answer says what is", () => {
  const headers = ["text/html", "application/problem+json", "text/*", "application/json-seq", `${json};q=0`];
  for (const accept of [
    ...headers,
    "*/*;q=0",
    `${json};q=nonsense`,
    `${json};q=-1`,
    `${json};q=2`,
    "json",
    ",",
    ";",
  ]) {
    assert.throws(() => negotiate(accept, [json]), { code: "not_acceptable", status: 406 }, accept);
  }
  assert.throws(() => chosen("text/html"), /text\/html.*application\/json and application\/x-ndjson/);
});

test("any header gives a type that is offered, or 406", () => {
  const part = fc.constantFrom(
    json,
    lines,
    "*/*",
    "application/*",
    "q=",
    ";",
    ",",
    "0.5",
    "q=0",
    " ",
    "é",
    "=",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map((parts) => parts.join("")),
      ),
      (accept) => {
        try {
          assert.ok([json, lines].includes(chosen(accept)));
        } catch (error) {
          assert.ok(error instanceof GatewayError && error.code === "not_acceptable", String(error));
        }
      },
    ),
  );
});
