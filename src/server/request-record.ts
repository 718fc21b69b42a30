/**
 * What is noted about a request for its log entry and its trace, while it passes through the stages.
 *
 * Without a request log and without traces there are no records.
 */
import type { FastifyRequest } from "fastify";
import type { ErrorCode } from "../errors.ts";

export interface RequestRecord {
  /** As `performance.now()` tells it. */
  readonly startedAtMs: number;
  /** Bytes that the connection had sent when the request came. */
  readonly sentBefore: number;
  /** Bytes that the connection had received when the request came. */
  readonly receivedBefore: number;
  /** `pods/ID`, `containers/ID` */
  target?: string;
  /** Of the problem that was sent. */
  code?: ErrorCode;
  /** Whether the start of a stream or session has been logged. */
  isOpen?: true;
  /** Whether the response has closed. Nothing is logged after that. */
  isClosed?: true;
  /** The request's span, if requests are traced. */
  readonly span?: RequestSpan | undefined;
}

/** The span of a request, which ends once. */
export interface RequestSpan {
  readonly traceId: string;
  /** Calls to the runtime that `work` makes, now or later, become children of this span. */
  run(work: () => void): void;
  end(outcome: RequestOutcome): void;
}

/** What is known of a request at its end. */
export interface RequestOutcome {
  /** Undefined when the connection ended before the response did. */
  readonly status: number | undefined;
  /** The problem's code. */
  readonly code: string | undefined;
  /** `pods/ID`, `containers/ID` */
  readonly target: string | undefined;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Undefined if none is kept. */
    record?: RequestRecord;
  }
}

/** Maximum length of an id as the caller wrote it, in characters. Full ids are shorter. */
const maxTargetLength = 128;

/** Notes which pod or container a request is about, first as the caller named it and then by its full id. */
export function noteTarget(request: FastifyRequest, kind: "pod" | "container", id: string): void {
  const { record } = request;
  if (record !== undefined) record.target = `${kind}s/${id.slice(0, maxTargetLength)}`;
}

/** Notes the code of the problem with which a request ends. */
export function noteCode(request: FastifyRequest, code: ErrorCode): void {
  const { record } = request;
  if (record !== undefined) record.code = code;
}
