/** Maps gRPC status to the error table. Where the status alone is not enough, `translate-error.ts` decides. */
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

/** Both ends report an oversized message with this text: the runtime for its reply, grpc-js for what it receives. */
const overLimit = /message larger than max/i;

/** While containerd starts, it first lacks its own CRI service and then its containers. It has not begun the call. */
export function isStarting({ code, details }: ServiceError): boolean {
  if (code === status.UNIMPLEMENTED) return /unknown service/.test(details);
  return /^server is not initialized yet/.test(details);
}

/** Whether a call failed before it was sent, so that repeating it is safe. */
export function isUnsent({ code, details }: ServiceError): boolean {
  return code === status.UNAVAILABLE && details.startsWith("No connection established");
}

/** Codes that mean that no reply arrived. */
const unanswered: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

/** Whether it is unknown if the call took effect, for an RPC where that matters: see `RpcRule.lookWith`. */
function isOutcomeUnknown(rpc: Rpc, error: ServiceError): boolean {
  const { lookWith, timeoutField } = rpcRules[rpc];
  if (lookWith === undefined || !unanswered.has(error.code)) return false;
  if (isStarting(error) || isUnsent(error)) return false;
  // For a request with its own timeout, any text but that of grpc-js means that the command timed out.
  // translate-error.ts reports that.
  const isOwnTimeout =
    error.code === status.DEADLINE_EXCEEDED && !error.details.startsWith("Deadline exceeded");
  return timeoutField === undefined || !isOwnTimeout;
}

/** Whether grpc-js reports a reset stream. Go's server sends one when an error does not fit into the trailers. */
const isReset = ({ code, details }: ServiceError): boolean =>
  code === status.INTERNAL && details.startsWith("Received RST_STREAM with code 2");

/** The error text of the runtime, or a substitute if there is none. */
function textOf(error: ServiceError): string {
  if (isReset(error)) return `the runtime gave no reason, or one of more than ${maxErrorTextBytes} bytes`;
  const own = clientWords.map((words) => error.details?.indexOf(words) ?? -1).filter((at) => at !== -1);
  const text = error.details?.slice(0, Math.min(...own, error.details.length)).trimEnd();
  // cri-dockerd sometimes sends only a code. Errors from outside gRPC have only a message.
  return text || (error.code === undefined ? error.message : "no reason was given");
}

/** Debug text that grpc-js appends to a reason: a caller should not see paths on the node. */
const clientWords = [",remote_addr=", "Resolution note:"] as const;

/**
 * Turns a rejected gRPC call into the problem that the caller sees. Keeps the runtime's text, shortened if it is long.
 * `words` of the error has that text without the names in `request`.
 */
export function fromStatus(rpc: Rpc, error: ServiceError, request?: Uint8Array): GatewayError {
  const name = rpc.slice(rpc.indexOf("/") + 1);
  const text = textOf(error);
  const words = cutText(request === undefined ? text : ownWords(text, decodeRequest(rpc, request)));
  const grpcCode = status[error.code] ?? "UNKNOWN";
  if (isOutcomeUnknown(rpc, error)) {
    return new GatewayError(
      "outcome_unknown",
      `${name} may have been executed, but its answer was lost: ${cutText(text)}. Before you send it again, ${rpcRules[rpc].lookWith}`,
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

/**
 * Turns a rejected call of the runtime's own API into a problem. `path`: for example
 * `/containerd.services.tasks.v1.Tasks/Metrics`. As these calls are never repeated, each failure is final.
 */
export function fromNativeStatus(path: string, error: ServiceError): GatewayError {
  const text = cutText(textOf(error));
  const code =
    error.code === status.RESOURCE_EXHAUSTED && overLimit.test(text)
      ? "reply_too_large"
      : (byStatus[error.code] ?? "runtime_error");
  const method = path.slice(path.lastIndexOf(".") + 1);
  return new GatewayError(code, `${method} failed: ${text}`, {
    cause: error,
    grpcCode: status[error.code] ?? "UNKNOWN",
    words: text,
  });
}
