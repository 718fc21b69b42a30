/** Errors as `application/problem+json` (RFC 9457), with one shape for all sources. */
import type { FastifyReply } from "fastify";
import { type ErrorCode, errorTable, type FieldError, GatewayError } from "../errors.ts";
import { isHandshake } from "./handshake.ts";
import { noteProblem } from "./request-record.ts";

export const problemMediaType = "application/problem+json";

/**
 * Default headers of every response: not cacheable, because it is specific to this moment and caller, and no content
 * sniffing. The gateway's own pages and documents may be cached and replace `cache-control`.
 */
export const apiHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

/** The body of a problem. Members without a value are omitted. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance?: string;
  readonly code: ErrorCode;
  readonly requestId?: string;
  readonly grpcCode?: string;
  readonly retryable: boolean;
  readonly errors?: readonly FieldError[];
  readonly [member: string]: unknown;
}

export interface ProblemContext {
  /** The request path, without its query. */
  readonly instance?: string;
  readonly requestId?: string;
}

/** Converts an error to a problem. Anything but a `GatewayError` is a bug in Crest, and its details are not exposed. */
export function problemOf(error: unknown, context: ProblemContext = {}): Problem {
  const known =
    error instanceof GatewayError
      ? error
      : new GatewayError("internal", "The gateway failed: its log has the reason under this requestId");
  const row: { readonly title: string; readonly retryable?: true } = errorTable[known.code];
  return {
    type: `/docs/problems#${known.code}`,
    title: row.title,
    status: known.status,
    detail: shorten(known.message),
    ...shortened(context),
    code: known.code,
    ...(known.grpcCode ? { grpcCode: known.grpcCode } : {}),
    retryable: row.retryable === true,
    ...(known.errors.length > 0 ? { errors: known.errors.map((error) => shortened(error)) } : {}),
    ...shortened(known.members),
  };
}

/** Maximum length of a text in a problem, in characters, since it may repeat text from the caller or the runtime. */
const maxTextLength = 4096;

const shorten = (text: string): string =>
  text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 3)}...`;

/** Returns a copy of an object with its strings shortened. */
function shortened<T extends object>(object: T): T {
  const entries = Object.entries(object).map(([name, value]) => [
    name,
    typeof value === "string" ? shorten(value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

/** Responds with the problem of `error`. */
export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const { request } = reply;
  const problem = problemOf(error, { instance: pathOf(request.url), requestId: request.id });
  noteProblem(request, problem);
  if (error instanceof GatewayError) reply.headers(error.headers);
  if (isHandshake(request.raw)) {
    // Node no longer manages this connection, so we must close it.
    reply.header("connection", "close");
    reply.raw.once("finish", () => request.raw.socket.destroySoon());
  }
  // As bytes: Fastify adds a charset to strings, which JSON media types do not have.
  return reply
    .code(problem.status)
    .type(problemMediaType)
    .send(Buffer.from(`${JSON.stringify(problem)}\n`));
}

/** The path of a request target. The query is cut off because it may contain secrets. */
export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
