/** The only error that the client throws for what happened, as opposed to a mistake in the program. */
import type { Problem, ProblemCode, ProblemError } from "./gen/types.ts";

/** What the client itself finds out. */
export type ClientErrorCode =
  /** The gateway cannot be reached. `cause` has the platform's error. */
  | "connection_failed"
  /** The connection ended in the middle of an answer or a session. */
  | "connection_lost"
  /** The answer is not one of Crest's: of a proxy, for example. `status` is set. */
  | "invalid_answer"
  /** The session did not open, and neither the platform nor the gateway says why. */
  | "session_refused"
  /** The runtime ended the session with an error, such as a command whose exit code is unknown. */
  | "session_failed"
  /** The program closed the session before its end. */
  | "session_closed"
  /** Another connection has taken over a kept session. */
  | "session_taken_over"
  /** The program does not read the output of a session, on a platform that cannot pause a WebSocket. */
  | "reader_too_slow";

/** A later gateway may have codes that this version does not know. */
export type CrestErrorCode = ProblemCode | ClientErrorCode | (string & Record<never, never>);

export interface CrestErrorOptions {
  /** HTTP status of an answer without a problem. */
  readonly status?: number;
  readonly problem?: Problem;
  readonly cause?: unknown;
  /** Seconds, from `Retry-After`. */
  readonly retryAfter?: number | undefined;
}

/**
 * A problem that the gateway answered, or a failure of the connection. `message` is the same as `detail`: what was wrong
 * and how to fix it, for people; `code` is for programs.
 */
export class CrestError extends Error {
  override readonly name = "CrestError";
  readonly code: CrestErrorCode;
  readonly detail: string;
  /** HTTP status; absent where there was no answer. */
  readonly status: number | undefined;
  /** Whether the same request, unchanged, may succeed later. */
  readonly retryable: boolean;
  /** Id of the request in the gateway's log. */
  readonly requestId: string | undefined;
  /** The first missing grant, of `not_capable`. */
  readonly grant: string | undefined;
  /** All mistakes in the request, and where they are. */
  readonly errors: readonly ProblemError[];
  /** Seconds to wait before the next attempt, if the gateway said so. */
  readonly retryAfter: number | undefined;
  /** The whole problem, with `grants`, `candidates`, `cursor` and the like; absent if the gateway sent none. */
  readonly problem: Problem | undefined;

  constructor(code: CrestErrorCode, detail: string, options: CrestErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    const { problem } = options;
    this.code = code;
    this.detail = detail;
    this.status = problem?.status ?? options.status;
    this.retryable = problem?.retryable ?? (code === "connection_failed" || code === "connection_lost");
    this.requestId = problem?.requestId;
    this.grant = problem?.grant;
    this.errors = problem?.errors ?? [];
    this.retryAfter = options.retryAfter;
    this.problem = problem;
  }
}

/** The error for a problem that the gateway sent. */
export function errorOf(problem: Problem, retryAfter?: number): CrestError {
  return new CrestError(problem.code, problem.detail, { problem, retryAfter });
}

/** The problem in a text; undefined if it is none. */
export function parseProblem(text: string): Problem | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isProblem(value) ? value : undefined;
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "detail" in value &&
    typeof value.detail === "string" &&
    "status" in value &&
    typeof value.status === "number"
  );
}
