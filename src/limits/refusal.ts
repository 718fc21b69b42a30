/** The refusals of limits: all of them say which limit, its value, what changes it, and when to come again. */
import { type ErrorCode, GatewayError } from "../errors.ts";

export interface Reached {
  /** As in the metrics: `streams`. */
  readonly limit: string;
  readonly max: number;
  /** What changes it: `--caller-streams`. */
  readonly setting: string;
}

export interface RefusalOptions {
  /** Default: `too_many_requests`. */
  readonly code?: ErrorCode;
  /** Milliseconds until the same request may pass. Default: 1000, where nobody knows when a place becomes free. */
  readonly waitMs?: number;
  /** Whether the connection is closed after the answer. Default: false. */
  readonly closes?: boolean;
}

/** `message`: a sentence, without what changes the limit. */
export function limitRefusal(
  message: string,
  { limit, max, setting }: Reached,
  { code = "too_many_requests", waitMs = 1000, closes = false }: RefusalOptions = {},
): GatewayError {
  return new GatewayError(code, `${message} (${setting})`, {
    members: { limit, max, setting },
    headers: {
      "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000))),
      ...(closes ? { connection: "close" } : {}),
    },
  });
}
