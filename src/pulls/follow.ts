/** The progress of a pull for one reader, at the reader's pace. */
import type { Pull } from "./pull-registry.ts";

export interface FollowOptions {
  /** Ends the items. */
  readonly signal: AbortSignal;
  /** Minimum time between two items, in milliseconds. Default: 250. The last item comes at once. */
  readonly minGapMs?: number;
  /** Maximum time between two items, in milliseconds, while nothing changes but the time. Default: 1000. */
  readonly maxGapMs?: number;
}

/** Yields the pull now, then whenever it has changed, and once more when it has ended. */
export async function* follow(
  pull: Pull,
  { signal, minGapMs = 250, maxGapMs = 1000 }: FollowOptions,
): AsyncGenerator<Pull> {
  while (pull.endedAt === undefined && !signal.aborted) {
    const { version } = pull;
    yield pull;
    for (let waitedMs = 0; waitedMs < maxGapMs; waitedMs += minGapMs) {
      await endOrTimeout(pull, minGapMs, signal);
      if (pull.endedAt !== undefined || signal.aborted || pull.version !== version) break;
    }
  }
  if (!signal.aborted) yield pull;
}

/** Resolves when the pull has ended, when the time has passed, or when the signal aborts. */
export function endOrTimeout(pull: Pull, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, timeoutMs);
    let forget = (): void => undefined;
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      forget();
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
    forget = pull.whenEnded(done);
    if (signal.aborted) done();
  });
}
