import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, errorTable, GatewayError } from "../../../src/errors.ts";
import { pathOf, problemOf } from "../../../src/server/problems.ts";

const context = { instance: "/v1/pods", requestId: "an-id" };

test("each row of the error table is a problem with its status and its title", () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const row: { status: number; title: string; retryable?: true } = errorTable[code];
    assert.deepEqual(problemOf(new GatewayError(code, "What happened"), context), {
      type: `/docs/problems#${code}`,
      title: row.title,
      status: row.status,
      detail: "What happened",
      instance: "/v1/pods",
      requestId: "an-id",
      code,
      retryable: row.retryable === true,
    });
  }
});

test("what the error knows besides stands in the problem, what it does not know is left out", () => {
  const error = new GatewayError("invalid_request", "Invalid x", {
    grpcCode: "INVALID_ARGUMENT",
    errors: [{ pointer: "/x", detail: "is wrong" }],
    members: { grant: "read", resource: "x" },
    headers: { "retry-after": "1" },
    cause: new Error("inside"),
  });
  const problem = problemOf(error, context);
  assert.equal(problem.grpcCode, "INVALID_ARGUMENT");
  assert.deepEqual(problem.errors, [{ pointer: "/x", detail: "is wrong" }]);
  assert.equal(problem.grant, "read");
  assert.ok(!JSON.stringify(problem).includes("inside"), "causes are for the log");
  const bare = problemOf(new GatewayError("conflict", "x"));
  assert.deepEqual(Object.keys(bare).sort(), ["code", "detail", "retryable", "status", "title", "type"]);
});

test("a bug of ours tells nothing of itself", () => {
  for (const thrown of [new TypeError("secret"), "secret", { secret: 1 }, undefined, null, 42]) {
    const problem = problemOf(thrown, context);
    assert.equal(problem.status, 500);
    assert.equal(problem.code, "internal");
    assert.ok(!JSON.stringify(problem).includes("secret"));
    assert.match(problem.detail, /requestId/);
  }
});

test("a path is told without its query", () => {
  assert.equal(pathOf("/v1/pods?token=secret"), "/v1/pods");
  assert.equal(pathOf("/v1/pods?"), "/v1/pods");
  assert.equal(pathOf("/v1/a%3Fb"), "/v1/a%3Fb");
  assert.equal(pathOf("?a"), "");
});

test("a text that a caller or a runtime wrote is repeated in part when it is long", () => {
  const long = "x".repeat(300_000);
  const error = new GatewayError("invalid_request", long, {
    errors: [{ parameter: long, detail: long }],
    members: { resource: long, candidates: ["a"] },
  });
  const text = JSON.stringify(problemOf(error, { instance: `/${long}` }));
  assert.ok(text.length < 32 * 1024, `${text.length}`);
  assert.match(text, /x\.\.\."/);
});
