/** gRPC status -> problem code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { fromStatus, isStarting } from "../../../src/cri/status.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { serviceError } from "./stub-runtime.ts";

const table: readonly (readonly [keyof typeof status, ErrorCode, number])[] = [
  ["CANCELLED", "runtime_error", 502],
  ["UNKNOWN", "runtime_error", 502],
  ["INVALID_ARGUMENT", "invalid_request", 400],
  ["DEADLINE_EXCEEDED", "deadline_exceeded", 504],
  ["NOT_FOUND", "not_found", 404],
  ["ALREADY_EXISTS", "conflict", 409],
  ["PERMISSION_DENIED", "runtime_error", 502],
  ["RESOURCE_EXHAUSTED", "runtime_exhausted", 429],
  ["FAILED_PRECONDITION", "conflict", 409],
  ["ABORTED", "conflict", 409],
  ["OUT_OF_RANGE", "invalid_request", 400],
  ["UNIMPLEMENTED", "not_implemented", 501],
  ["INTERNAL", "runtime_error", 502],
  ["UNAVAILABLE", "runtime_unavailable", 503],
  ["DATA_LOSS", "runtime_error", 502],
  ["UNAUTHENTICATED", "runtime_error", 502],
];

for (const [name, code, http] of table) {
  test(`${name} is ${http} ${code}, with the runtime's text`, () => {
    const error = fromStatus("RuntimeService/Version", serviceError(status[name], "as it was said"));
    assert.equal(error.code, code);
    assert.equal(error.status, http);
    assert.equal(error.grpcCode, name);
    assert.equal(error.message, "Version failed: as it was said");
    assert.equal((error.cause as { code?: number }).code, status[name]);
  });
}

test("every status but OK has a row", () => {
  const names = Object.keys(status).filter((name) => Number.isNaN(Number(name)) && name !== "OK");
  assert.deepEqual(names.sort(), table.map(([name]) => name).sort());
});

test("a runtime that is unavailable may be asked again in a second", () => {
  const error = fromStatus("RuntimeService/Version", serviceError(status.UNAVAILABLE, "Connection dropped"));
  assert.deepEqual(error.headers, { "retry-after": "1" });
});

test("a runtime that does not know its containers yet is starting", () => {
  for (const [code, text] of [
    [status.UNKNOWN, "server is not initialized yet"],
    [status.UNAVAILABLE, "server is not initialized yet: unavailable"],
  ] as const) {
    const starting = serviceError(code, text);
    assert.ok(isStarting(starting));
    const error = fromStatus("RuntimeService/StartContainer", starting);
    assert.equal(error.code, "runtime_unavailable");
    assert.deepEqual(error.headers, { "retry-after": "1" });
  }
});

test("what is no gRPC error has a message alone", () => {
  const error = Object.assign(new Error("out of file descriptors"), {}) as ServiceError;
  assert.ok(!isStarting(error));
  assert.equal(
    fromStatus("RuntimeService/Version", error).message,
    "Version failed: out of file descriptors",
  );
});

test("UNIMPLEMENTED of a whole service is a runtime that is starting", () => {
  const starting = serviceError(status.UNIMPLEMENTED, "unknown service runtime.v1.RuntimeService");
  assert.ok(isStarting(starting));
  assert.equal(fromStatus("RuntimeService/Version", starting).code, "runtime_unavailable");
  for (const text of ["unknown method X for service runtime.v1.RuntimeService", "method X not implemented"]) {
    const lacking = serviceError(status.UNIMPLEMENTED, text);
    assert.ok(!isStarting(lacking));
    assert.equal(fromStatus("RuntimeService/Version", lacking).code, "not_implemented");
  }
});

test("a message over a limit of either side is a reply that is too large", () => {
  for (const text of [
    "grpc: trying to send message larger than max (18874832 vs. 16777216)",
    "Received message larger than max (134217729 vs 134217728)",
  ]) {
    const error = fromStatus("RuntimeService/ListContainers", serviceError(status.RESOURCE_EXHAUSTED, text));
    assert.equal(error.code, "reply_too_large");
    assert.equal(error.status, 502);
  }
});

test("a code without a text says so", () => {
  const error = fromStatus("RuntimeService/PodSandboxStatus", serviceError(status.UNKNOWN, ""));
  assert.equal(error.message, "PodSandboxStatus failed: no reason was given");
});

test("fromStatus() keeps 4 KiB of a text, its beginning and its end", () => {
  const text = serviceError(status.UNKNOWN, `${"x".repeat(100_000)}${"y".repeat(100_000)}`);
  const { message } = fromStatus("ImageService/PullImage", text);
  assert.equal(message, `PullImage failed: ${"x".repeat(3072)}... (cut) ...${"y".repeat(1024)}`);
});
