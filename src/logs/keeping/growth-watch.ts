/**
 * Tells when a file may have grown, at no cost while it does not. A file that grows is looked at regularly, because a
 * notification for each of its writes would cost more.
 */
import { type FSWatcher, watch } from "node:fs";

export interface GrowthWatch {
  /** Whether the system will tell when the file changes, so that there is no need to look. */
  isWaiting(): boolean;
  /** Whether to look at the file now: always while it grows, every few seconds if the system cannot tell. */
  isDue(nowMs: number): boolean;
  /** Records the size that was found; -1 if the file is absent. */
  saw(size: number, nowMs: number): void;
  close(): void;
}

/** How long to look at a file that does not change before the system is asked to tell. */
const quietMs = 10_000;
/** How often to look at a file that the system cannot watch. */
const fallbackMs = 5000;

/** Calls `changed` when a file changes that it waits for. */
export function watchGrowth(path: string, changed: () => void): GrowthWatch {
  let watcher: FSWatcher | undefined;
  let size: number | undefined;
  let changedAtMs = Number.NEGATIVE_INFINITY;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let cannotWatch = false;

  function stop(): void {
    watcher?.close();
    watcher = undefined;
  }

  function notice(): void {
    stop();
    changed();
  }

  function start(): void {
    try {
      watcher = watch(path, { persistent: false }, notice).on("error", notice);
    } catch {
      // The file is absent, there are too many watches, or the file system has none.
      cannotWatch = true;
    }
  }

  return {
    isWaiting: () => watcher !== undefined,
    isDue(nowMs) {
      if (watcher !== undefined) return false;
      return !cannotWatch || nowMs - changedAtMs < quietMs || nowMs - lookedAtMs >= fallbackMs;
    },
    saw(found, nowMs) {
      lookedAtMs = nowMs;
      const isFirst = size === undefined;
      if (found !== size) {
        size = found;
        cannotWatch = false;
        if (!isFirst) changedAtMs = nowMs;
      }
      if (nowMs - changedAtMs >= quietMs) start();
    },
    close: stop,
  };
}
