/**
 * A runtime that is away, as a daemon is for a second or two when it restarts. Callers wait for it, so that
 * they need not know. What is waited for is the outage from its beginning, not each call: of a runtime that
 * stays away everyone is told at once.
 */
import { type ServiceError, status } from "@grpc/grpc-js";
import { isStarting, isUnsent } from "./status.ts";

/** An attempt at a call that failed. */
export interface Attempt {
  readonly failure: ServiceError;
  /** Counted from 1. */
  readonly attempt: number;
  /** Whether the runtime may be asked the same twice. */
  readonly repeatable: boolean;
  /** Whether the connection stands: then it was the runtime who spoke. */
  readonly connected: boolean;
}

export interface Outage {
  /** Milliseconds until the call shall be tried again; undefined when it shall not. */
  nextDelayMs(attempt: Attempt): number | undefined;
  /** The runtime has answered. */
  end(): void;
}

/** Before the next attempt; up to twice as much, not the same for everyone. */
const pauseMs = 100;
/** Attempts at a runtime that is there and says that it is unavailable. */
const mostAttempts = 3;

/** `waitMs`: how long an outage is waited for. `now`: a clock in milliseconds. */
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
