/** gRPC status -> the error table. What a status alone cannot decide is decided by `conflicts.ts`. */
import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { cutText } from "./runtime-text.ts";

const byStatus: { readonly [code: number]: ErrorCode } = {
  [status.INVALID_ARGUMENT]: "invalid_request",
  [status.OUT_OF_RANGE]: "invalid_request",
  [status.NOT_FOUND]: "not_found",
  [status.ALREADY_EXISTS]: "conflict",
  [status.ABORTED]: "conflict",
  [status.FAILED_PRECONDITION]: "conflict",
  [status.RESOURCE_EXHAUSTED]: "runtime_exhausted",
  [status.UNIMPLEMENTED]: "not_implemented",
  [status.UNAVAILABLE]: "runtime_unavailable",
  [status.DEADLINE_EXCEEDED]: "deadline_exceeded",
};

/** Both ends say this of a message over their limit: the runtime of its reply, grpc-js of what arrives. */
const overLimit = /message larger than max/i;

/** While it starts, containerd does not know its own CRI service yet, and then not its containers. Nothing was begun. */
export function isStarting({ code, details }: ServiceError): boolean {
  if (code === status.UNIMPLEMENTED) return /unknown service/.test(details);
  return /^server is not initialized yet/.test(details);
}

/** Turns what a gRPC call rejected with into the problem that the caller sees. Keeps the runtime's text, cut when it is long. */
export function fromStatus(rpc: Rpc, error: ServiceError): GatewayError {
  const code = isStarting(error)
    ? "runtime_unavailable"
    : error.code === status.RESOURCE_EXHAUSTED && overLimit.test(error.details)
      ? "reply_too_large"
      : (byStatus[error.code] ?? "runtime_error");
  // cri-dockerd sometimes gives a code alone; what is no gRPC error has a message alone.
  const said = error.details || (error.code === undefined ? error.message : "no reason was given");
  return new GatewayError(code, `${rpc.slice(rpc.indexOf("/") + 1)} failed: ${cutText(said)}`, {
    cause: error,
    grpcCode: status[error.code] ?? "UNKNOWN",
    ...(code === "runtime_unavailable" ? { headers: { "retry-after": "1" } } : {}),
  });
}
