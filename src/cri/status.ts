/** gRPC status -> the error table. What a status alone cannot decide is decided by `translate-error.ts`. */
import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { decodeRequest } from "./codec.ts";
import { maxErrorTextBytes } from "./header-limit.ts";
import { ownWords } from "./own-words.ts";
import { rpcRules } from "./rpc-rules.ts";
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

/** Whether a call failed before it was sent: repeating it cannot do anything twice. */
export function isUnsent({ code, details }: ServiceError): boolean {
  return code === status.UNAVAILABLE && details.startsWith("No connection established");
}

/** Codes that say that no answer came, not what the answer was. */
const unanswered: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

/** Whether nobody can know if the runtime did what it was asked, although it matters: see `RpcRule.lookWith`. */
function isOutcomeUnknown(rpc: Rpc, error: ServiceError): boolean {
  const { lookWith, timeoutField } = rpcRules[rpc];
  if (lookWith === undefined || !unanswered.has(error.code)) return false;
  if (isStarting(error) || isUnsent(error)) return false;
  // The runtime's own words on a request's own timeout: the command ran out of time, and translate-error.ts says so.
  const isOwnTimeout =
    error.code === status.DEADLINE_EXCEEDED && !error.details.startsWith("Deadline exceeded");
  return timeoutField === undefined || !isOwnTimeout;
}

/** grpc-js's words for a stream that the server reset, as Go's does when an error does not fit into the trailers. */
const isReset = ({ code, details }: ServiceError): boolean =>
  code === status.INTERNAL && details.startsWith("Received RST_STREAM with code 2");

/** What the runtime said, in its words where there are any. */
function textOf(error: ServiceError): string {
  if (isReset(error)) return `the runtime gave no reason, or one of more than ${maxErrorTextBytes} bytes`;
  const own = clientWords.map((words) => error.details?.indexOf(words) ?? -1).filter((at) => at !== -1);
  const text = error.details?.slice(0, Math.min(...own, error.details.length)).trimEnd();
  // cri-dockerd sometimes gives a code alone; what is no gRPC error has a message alone.
  return text || (error.code === undefined ? error.message : "no reason was given");
}

/** What grpc-js adds behind a reason for those who debug it: a caller should not see paths of the node. */
const clientWords = [",remote_addr=", "Resolution note:"] as const;

/**
 * Turns what a gRPC call rejected with into the problem that the caller sees. Keeps the runtime's text, cut when it is
 * long, and its own words in it, without what `request` names.
 */
export function fromStatus(rpc: Rpc, error: ServiceError, request?: Uint8Array): GatewayError {
  const name = rpc.slice(rpc.indexOf("/") + 1);
  const text = textOf(error);
  const words = cutText(request === undefined ? text : ownWords(text, decodeRequest(rpc, request)));
  const grpcCode = status[error.code] ?? "UNKNOWN";
  if (isOutcomeUnknown(rpc, error)) {
    return new GatewayError(
      "outcome_unknown",
      `${name} may have been carried out, but its answer was lost: ${cutText(text)}. Before you send it again, ${rpcRules[rpc].lookWith}`,
      { cause: error, grpcCode, words },
    );
  }
  const code = isStarting(error)
    ? "runtime_unavailable"
    : error.code === status.RESOURCE_EXHAUSTED && overLimit.test(words)
      ? "reply_too_large"
      : (byStatus[error.code] ?? "runtime_error");
  return new GatewayError(code, `${name} failed: ${cutText(text)}`, {
    cause: error,
    grpcCode,
    words,
    ...(code === "runtime_unavailable" ? { headers: { "retry-after": "1" } } : {}),
  });
}
