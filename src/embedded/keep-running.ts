/**
 * Restarts a daemon that exits on its own. containerd's pods survive without it, each with its own shim, and containerd
 * recovers them when it restarts.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "./daemon.ts";

export interface KeepRunningOptions {
  /** @throws if the daemon cannot be started. */
  readonly start: () => Promise<Daemon>;
  /** Called with one line when the daemon ends, when it cannot be started, and when it runs again. */
  readonly report: (step: string) => void;
  /** Milliseconds to wait before each attempt in turn. The last value repeats. */
  readonly pausesMs?: readonly number[];
  /** Consecutive failed attempts before giving up. */
  readonly maxFailures?: number;
  /** A daemon that ran at least this many milliseconds resets the pauses. */
  readonly healthyMs?: number;
}

const seconds = (...values: readonly number[]): readonly number[] => values.map((value) => value * 1000);
/** The first pause is short, because requests wait 5 s for an unreachable runtime. */
const defaultPausesMs = seconds(0.2, 1, 2, 4, 8, 16, 30);
const defaultMaxFailures = 10;
const defaultHealthyMs = 60_000;

/** Presents the daemon and its successors as one. It ends when closed or when a restart finally fails. */
export function keepRunning(first: Daemon, options: KeepRunningOptions): Daemon {
  const { maxFailures = defaultMaxFailures, healthyMs = defaultHealthyMs } = options;
  const { start, report, pausesMs = defaultPausesMs } = options;
  const closing = new AbortController();
  let current = first;

  /** Returns why it gave up; undefined if it was closed. */
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

  /** Returns the last failure if there were too many. */
  async function startAgain(attempts: number): Promise<string | undefined> {
    for (let failures = 0; ; failures++) {
      const pauseMs = pausesMs[Math.min(attempts + failures, pausesMs.length - 1)] ?? 0;
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return undefined;
      try {
        current = await start();
        // close() may have run meanwhile, when there was no daemon to close.
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
