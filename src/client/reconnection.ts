/** When and how often a client tries to connect again. */
import { CrestError } from "./crest-error.ts";

/** What is known when a connection is lost and the next attempt is decided. */
export interface Reconnection {
  /** Why the connection ended, or why the attempt before failed. */
  readonly error: CrestError;
  /** 1 for the first attempt after a loss. */
  readonly attempt: number;
  /** Milliseconds until the attempt. */
  readonly delayMs: number;
}

const firstPauseMs = 250;
const longestPauseMs = 10_000;

/** Failures that pass by themselves. A problem that the request itself causes would only come again. */
const passing: ReadonlySet<string> = new Set([
  "connection_failed",
  "connection_lost",
  "shutting_down",
  "runtime_unavailable",
  "overloaded",
  "too_many_sessions",
]);
/** What a proxy answers while the gateway is away. */
const passingStatus: ReadonlySet<number> = new Set([502, 503, 504]);

/** Whether another attempt may succeed. */
export function isPassing(error: unknown): error is CrestError {
  if (!(error instanceof CrestError)) return false;
  return passing.has(error.code) || (error.code === "invalid_answer" && passingStatus.has(error.status ?? 0));
}

/** Half of it is random, so that not all clients of a gateway come back at once. */
export function pauseMs(attempt: number, retryAfter: number | undefined): number {
  const most = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs);
  return Math.max(Math.round(most * (0.5 + Math.random() / 2)), (retryAfter ?? 0) * 1000);
}

/** Waits, but not after `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
