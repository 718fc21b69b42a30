/**
 * Retries while a runtime is unavailable, such as for the second or two that a daemon takes to restart. Callers wait,
 * so they need not know. The wait is measured from the start of the outage, not per call: when a runtime stays away,
 * every call fails immediately.
 */
import { type ServiceError, status } from "@grpc/grpc-js";
import { isStarting, isUnsent } from "./status.ts";

export interface Attempt {
  readonly failure: ServiceError;
  /** Counted from 1. */
  readonly attempt: number;
  /** Whether the call may safely be repeated. */
  readonly repeatable: boolean;
  /** Whether the connection is up, so that the failure came from the runtime itself. */
  readonly connected: boolean;
}

export interface Outage {
  /** Milliseconds until the next attempt; undefined if there should be none. */
  nextDelayMs(attempt: Attempt): number | undefined;
  /** Call it when the runtime has answered. */
  end(): void;
}

/** Minimum pause before the next attempt, randomized up to twice as long. */
const pauseMs = 100;
/** Attempts when the runtime is reachable but reports that it is unavailable. */
const mostAttempts = 3;

/** `waitMs`: how long to wait for an outage to end. `now`: a clock in milliseconds. */
export function createRetry(waitMs: number, now: () => number = () => performance.now()): Outage {
  let since: number | undefined;
  return {
    nextDelayMs({ failure, attempt, repeatable, connected }) {
      const isUnavailable = failure.code === status.UNAVAILABLE;
      const hasBegun = !isStarting(failure) && !isUnsent(failure);
      const pause = pauseMs * (1 + Math.random());
      if (connected && hasBegun) {
        since = undefined;
        return isUnavailable && repeatable && attempt < mostAttempts ? pause * attempt : undefined;
      }
      if (hasBegun && !(isUnavailable && repeatable)) return undefined;
      since ??= now();
      return now() + pause - since < waitMs ? pause : undefined;
    },
    end() {
      since = undefined;
    },
  };
}
