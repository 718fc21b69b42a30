/**
 * Starts a daemon again when it ends by itself. containerd's pods live on without it, each with a shim of its own, and
 * it knows them again when it is back.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "./daemon.ts";

export interface KeepRunningOptions {
  /** @throws when it cannot be started. */
  readonly start: () => Promise<Daemon>;
  /** Told one line when the daemon has ended, when it cannot be started, and when it runs again. */
  readonly report: (step: string) => void;
  /** Milliseconds before each attempt in turn; the last one counts for all that follow. */
  readonly pausesMs?: readonly number[];
  /** Attempts that may fail one after the other before it is given up. */
  readonly maxFailures?: number;
  /** A daemon that ran at least so long begins with the first pause again; in milliseconds. */
  readonly healthyMs?: number;
}

const seconds = (...values: readonly number[]): readonly number[] => values.map((value) => value * 1000);
/** The first is short: requests wait 5 s for a runtime that is away. */
const defaultPausesMs = seconds(0.2, 1, 2, 4, 8, 16, 30);
const defaultMaxFailures = 10;
const defaultHealthyMs = 60_000;

/** The daemon with its successors as one, which has ended when it is closed or cannot be started any more. */
export function keepRunning(first: Daemon, options: KeepRunningOptions): Daemon {
  const { maxFailures = defaultMaxFailures, healthyMs = defaultHealthyMs } = options;
  const { start, report, pausesMs = defaultPausesMs } = options;
  const closing = new AbortController();
  let current = first;

  /** Answers why it was given up; undefined when it was closed. */
  async function watch(): Promise<string | undefined> {
    for (let attempts = 0; ; ) {
      const startedAt = performance.now();
      const reason = await current.ended;
      if (closing.signal.aborted) return undefined;
      if (performance.now() - startedAt >= healthyMs) attempts = 0;
      report(`${reason}; it is started again`);
      const failure = await startAgain(attempts);
      if (closing.signal.aborted) return undefined;
      if (failure !== undefined) return `${reason}, and it cannot be started again: ${failure}`;
      report("containerd serves again, and its pods are as they were");
      attempts++;
    }
  }

  /** Answers the last failure when there were too many. */
  async function startAgain(attempts: number): Promise<string | undefined> {
    for (let failures = 0; ; failures++) {
      const pauseMs = pausesMs[Math.min(attempts + failures, pausesMs.length - 1)] ?? 0;
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return undefined;
      try {
        current = await start();
        // It may have been closed meanwhile, when there was nothing to close yet.
        if (closing.signal.aborted) await current.close();
        return undefined;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (failures + 1 >= maxFailures) return why;
        report(`containerd cannot be started: ${why}`);
      }
    }
  }

  const watched = watch();
  return {
    get pid() {
      return current.pid;
    },
    ended: watched.then((reason) => reason ?? "it was closed"),
    async close() {
      closing.abort();
      await current.close();
      await watched;
    },
  };
}
