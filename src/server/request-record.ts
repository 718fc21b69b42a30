/**
 * What is noted about a request for its log entry, its trace and the audit log, while it passes through the stages.
 *
 * Without a request log, traces and an audit log there are no records.
 */
import type { FastifyRequest } from "fastify";
import type { ErrorCode, FieldError } from "../errors.ts";

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
  /** The grants that the problem says are missing, and the flags that would permit each field. */
  missingGrants?: readonly string[];
  missingFlags?: readonly string[];
  /** Whether it was answered like an earlier request with the same `Idempotency-Key`. */
  isReplay?: true;
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

/** Begins the record of a request. */
export function beginRecord(request: FastifyRequest, span?: RequestSpan): RequestRecord {
  const { socket } = request.raw;
  const record: RequestRecord = {
    startedAtMs: performance.now(),
    sentBefore: socket.bytesWritten,
    receivedBefore: socket.bytesRead,
    span,
  };
  request.record = record;
  return record;
}

/** Maximum length of an id as the caller wrote it, in characters. Full ids are shorter. */
const maxTargetLength = 128;

/** Notes which pod or container a request is about, first as the caller named it and then by its full id. */
export function noteTarget(request: FastifyRequest, kind: "pod" | "container", id: string): void {
  const { record } = request;
  if (record !== undefined) record.target = `${kind}s/${id.slice(0, maxTargetLength)}`;
}

/** Notes that an earlier request has done the work of this one. */
export function noteReplay({ record }: FastifyRequest): void {
  if (record !== undefined) record.isReplay = true;
}

/** Notes the problem with which a request ends. */
export function noteProblem(request: FastifyRequest, { code, errors = [], grants }: NotedProblem): void {
  const { record } = request;
  if (record === undefined) return;
  record.code = code;
  if (Array.isArray(grants)) record.missingGrants = grants as readonly string[];
  const flags = errors.flatMap(({ grant }) => (grant === undefined ? [] : [grant]));
  if (flags.length > 0) record.missingFlags = [...new Set(flags)];
}

/** The members of a problem that are noted. */
interface NotedProblem {
  readonly code: ErrorCode;
  readonly errors?: readonly FieldError[];
  readonly grants?: unknown;
}
