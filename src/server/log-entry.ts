/** What a gateway logs. `log-line.ts` writes entries as text, `create-gateway.ts` passes them to a program's logger. */
import type { ErrorCode } from "../errors.ts";

/** From the most to the least important. */
export const logLevels = ["error", "warn", "info", "debug"] as const;

/** `error`: a bug of the gateway. `warn`: the runtime or a setting. `info`: each request. `debug`: health probes. */
export type LogLevel = (typeof logLevels)[number];

/** Whether entries of `level` are logged when the least important level is `least`. */
export const isLogged = (level: LogLevel, least: LogLevel): boolean =>
  logLevels.indexOf(level) <= logLevels.indexOf(least);

type Known<T> = { readonly [K in keyof T]?: T[K] | undefined };

export interface LogEntry extends Known<RequestFacts> {
  readonly level: LogLevel;
  readonly message: string;
  /** Path of the request, without its query. */
  readonly path?: string | undefined;
  readonly error?: unknown;
}

/** What the log says about a request. Nothing of its query, its body or its credentials. */
export interface RequestFacts {
  /** The request's `X-Request-Id`, and `requestId` in its problem. */
  readonly requestId: string;
  readonly method: string;
  /** The path as the API documents it: `/v1/pods/{podSandboxId}`. Absent where no route matches. */
  readonly route: string;
  /** `start` and `end` of a stream or session. Absent for other requests, which are logged once, at their end. */
  readonly event: "start" | "end";
  /** HTTP status; 101 for a WebSocket. Absent when the client left before it got one. */
  readonly status: number;
  /** The problem's code, if the request was refused or failed. */
  readonly code: ErrorCode;
  readonly caller: string;
  /** The grant that the route needs. */
  readonly grant: string;
  /** The pod or container that the request names or has created: `pods/ID`, `containers/ID`. */
  readonly target: string;
  /** It was answered like an earlier request with the same `Idempotency-Key`. */
  readonly replayed: true;
  readonly durationMs: number;
  /** Bytes of the body that was sent. For streams and sessions: bytes sent over the connection. */
  readonly bytes: number;
  /** Bytes received in a session. */
  readonly bytesReceived: number;
  /** The code with which a WebSocket was closed. */
  readonly closeCode: number;
  /** The connection ended before the response did. */
  readonly aborted: true;
  /** The trace, if requests are traced. */
  readonly traceId: string;
}
