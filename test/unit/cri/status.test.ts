/** gRPC status -> problem code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { fromStatus, isStarting } from "../../../src/cri/status.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import type { Rpc } from "../../../src/gen/methods.ts";
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

test("what grpc-js adds for debugging stays out of the message", () => {
  for (const [details, message] of [
    [
      "Deadline exceeded after 1.000s,remote_addr=/run/containerd.sock",
      "Version failed: Deadline exceeded after 1.000s",
    ],
    [
      "No connection established. Last error: connect ENOENT /x.sock. Resolution note: none",
      "Version failed: No connection established. Last error: connect ENOENT /x.sock.",
    ],
  ] as const) {
    const error = fromStatus("RuntimeService/Version", serviceError(status.UNAVAILABLE, details));
    assert.equal(error.message, message);
  }
});

test("a stream that the server reset may hide an error text that was too long", () => {
  const details = "Received RST_STREAM with code 2 (Internal server error)";
  const error = fromStatus("ImageService/PullImage", serviceError(status.INTERNAL, details));
  assert.equal(error.code, "runtime_error");
  assert.match(error.message, /gave no reason, or one of more than 32768 bytes/);
});

/** RPC, status, text -> whether the outcome is unknown. */
const outcomes: readonly (readonly [Rpc, status, string, boolean])[] = [
  ["RuntimeService/RunPodSandbox", status.UNAVAILABLE, "Connection dropped", true],
  [
    "RuntimeService/RunPodSandbox",
    status.UNAVAILABLE,
    "No connection established. Last error: ENOENT",
    false,
  ],
  ["RuntimeService/RunPodSandbox", status.UNKNOWN, "server is not initialized yet", false],
  ["RuntimeService/RunPodSandbox", status.UNKNOWN, "no space left", false],
  ["RuntimeService/RunPodSandbox", status.DEADLINE_EXCEEDED, "context deadline exceeded", true],
  ["RuntimeService/CreateContainer", status.CANCELLED, "Call cancelled", true],
  ["RuntimeService/ExecSync", status.DEADLINE_EXCEEDED, "Deadline exceeded after 20.001s", true],
  ["RuntimeService/ExecSync", status.DEADLINE_EXCEEDED, "timeout 1s exceeded", false],
  ["RuntimeService/StopContainer", status.UNAVAILABLE, "Connection dropped", false],
  ["RuntimeService/ListContainers", status.UNAVAILABLE, "Connection dropped", false],
  ["ImageService/PullImage", status.UNAVAILABLE, "Connection dropped", false],
];

for (const [rpc, code, text, isUnknown] of outcomes) {
  test(`${rpc}, ${status[code]}, "${text}": the outcome is ${isUnknown ? "unknown" : "known, or may be had again"}`, () => {
    const error = fromStatus(rpc, serviceError(code, text));
    assert.equal(error.code === "outcome_unknown", isUnknown, error.code);
  });
}
test("fromStatus() keeps 4 KiB of a text, its beginning and its end", () => {
  const text = serviceError(status.UNKNOWN, `${"x".repeat(100_000)}${"y".repeat(100_000)}`);
  const { message } = fromStatus("ImageService/PullImage", text);
  assert.equal(message, `PullImage failed: ${"x".repeat(3072)}... (cut) ...${"y".repeat(1024)}`);
});
