/** Errors as `application/problem+json` (RFC 9457), in one shape wherever they arise. */
import type { FastifyReply } from "fastify";
import { type ErrorCode, errorTable, GatewayError } from "../errors.ts";
import { isHandshake } from "./handshake.ts";

export const problemMediaType = "application/problem+json";

/**
 * What every answer has that sets nothing else: it is of this moment and for this caller, and is what its media type
 * says. The gateway's own pages and documents may be kept, and replace `cache-control`.
 */
export const apiHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

/** The body of a problem. Members with no value are left out. */
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
  readonly errors?: readonly object[];
  readonly [member: string]: unknown;
}

export interface ProblemContext {
  /** The path of the request, without its query. */
  readonly instance?: string;
  readonly requestId?: string;
}

/** The problem of an error. What is not a `GatewayError` is a bug of ours, of which nothing is told. */
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

/** Longest text in a problem, in characters: what a caller or a runtime wrote may be repeated in it. */
const maxTextLength = 4096;

const shorten = (text: string): string =>
  text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 3)}...`;

/** The same object with its texts shortened. */
function shortened<T extends object>(object: T): T {
  const entries = Object.entries(object).map(([name, value]) => [
    name,
    typeof value === "string" ? shorten(value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

/** Answers with the problem of `error`. */
export function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const { request } = reply;
  const problem = problemOf(error, { instance: pathOf(request.url), requestId: request.id });
  if (error instanceof GatewayError) reply.headers(error.headers);
  if (isHandshake(request.raw)) {
    // Node has let go of its connection: nobody else would end it.
    reply.header("connection", "close");
    reply.raw.once("finish", () => request.raw.socket.destroySoon());
  }
  // As bytes: to a string Fastify would add a charset, which JSON's media types do not have.
  return reply
    .code(problem.status)
    .type(problemMediaType)
    .send(Buffer.from(`${JSON.stringify(problem)}\n`));
}

/** The path of a request target, without the query, which may hold what no one should see again. */
export function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}
