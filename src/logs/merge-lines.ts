/**
 * Merges the lines of several logs by time.
 *
 * The lines of one log keep their order. While logs grow, a line is held back for up to 250 ms, in case another log has
 * an older one that has not been read; what comes later than that is given out in the order of arrival.
 */
import type { FoundLines } from "./container-log.ts";
import type { Line } from "./join-lines.ts";
import { compareTimes, type LogTime, toMs } from "./log-time.ts";
import type { Reached } from "./read-lines.ts";

/** How long a line waits for older ones, in milliseconds. */
export const holdBackMs = 250;

/** A log that is merged. */
export interface MergedLog<Owner> {
  readonly owner: Owner;
  readonly lines: AsyncGenerator<FoundLines>;
}

/** A line of one of the logs. */
export interface MergedLine<Owner> {
  readonly owner: Owner;
  readonly line: Line;
  /** What reading has got to, if the line is the last one that was read so far. */
  readonly reached: Reached | undefined;
}

interface Source<Owner> extends MergedLog<Owner> {
  waiting: readonly Line[];
  /** Of the next line in `waiting`. */
  index: number;
  reached: Reached | undefined;
  /** When the waiting lines were read. */
  arrivedAt: number;
  /** Whether it had nothing more when it was last read. */
  isAtEnd: boolean;
  isReading: boolean;
  isDone: boolean;
  /** The latest time so far: the lines of a log are not quite in order. */
  latest: LogTime;
}

const maxBatch = 512;

export class LineMerge<Owner> {
  readonly #sources = new Set<Source<Owner>>();
  readonly #signal: AbortSignal;
  #error: unknown;
  #wake: () => void = () => undefined;
  #joinsEnded = false;
  /** Bytes of all logs that were looked at. */
  readBytes = 0;
  /** Called when a log has been read on without a line that is wanted. */
  onReached: (owner: Owner, reached: Reached) => void = () => undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Adds a log. Its lines from now on are merged. */
  add(log: MergedLog<Owner>): void {
    this.#sources.add({
      ...{ owner: log.owner, lines: log.lines },
      ...{ waiting: [], index: 0, reached: undefined, arrivedAt: 0 },
      ...{ isAtEnd: false, isReading: false, isDone: false },
      latest: { seconds: 0, nanos: 0 },
    });
    this.#wake();
  }

  get size(): number {
    return this.#sources.size;
  }

  /** No more logs are added: the merge ends with the last of them. */
  endJoins(): void {
    this.#joinsEnded = true;
    this.#wake();
  }

  /** Ends the merge with an error. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#wake();
  }

  /** The lines, in batches that were ready at the same time. @throws what a log or `fail` threw. */
  async *merged(): AsyncGenerator<readonly MergedLine<Owner>[]> {
    try {
      while (!this.#signal.aborted) {
        if (this.#error !== undefined) throw this.#error;
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        for (const source of this.#sources) this.#read(source);
        const batch = this.#take();
        if (batch.length > 0) {
          yield batch;
          continue;
        }
        if (this.#joinsEnded && this.#sources.size === 0) return;
        await this.#until(woken);
      }
    } finally {
      await Promise.all([...this.#sources].map(({ lines }) => lines.return(undefined)));
    }
  }

  /** Asks a log for more, unless it has lines that wait or was asked already. */
  #read(source: Source<Owner>): void {
    if (source.isReading || source.isDone || source.index < source.waiting.length) return;
    source.isReading = true;
    source.lines.next().then(
      ({ value, done }) => {
        source.isReading = false;
        if (done) {
          source.isDone = true;
          this.#sources.delete(source);
        } else this.#receive(source, value);
        this.#wake();
      },
      (error: unknown) => {
        source.isReading = false;
        source.isDone = true;
        this.fail(error);
      },
    );
  }

  #receive(source: Source<Owner>, { lines, reached, readBytes, isAtEnd }: FoundLines): void {
    this.readBytes += readBytes;
    source.isAtEnd = isAtEnd;
    source.waiting = lines;
    source.index = 0;
    source.reached = reached;
    source.arrivedAt = Date.now();
    if (lines.length === 0 && reached !== undefined) this.onReached(source.owner, reached);
  }

  /** The lines that can be given out now. */
  #take(): readonly MergedLine<Owner>[] {
    const batch: MergedLine<Owner>[] = [];
    while (batch.length < maxBatch) {
      let first: Source<Owner> | undefined;
      let firstTime: LogTime | undefined;
      let isHeld = false;
      for (const source of this.#sources) {
        const line = source.waiting[source.index];
        if (line === undefined) {
          if (!source.isDone && !source.isAtEnd) return batch;
          isHeld ||= !source.isDone;
          continue;
        }
        const time = compareTimes(line.time, source.latest) < 0 ? source.latest : line.time;
        if (firstTime === undefined || compareTimes(time, firstTime) < 0) {
          first = source;
          firstTime = time;
        }
      }
      if (first === undefined || firstTime === undefined) return batch;
      if (isHeld && Date.now() < releaseAt(first, firstTime)) return batch;
      const line = first.waiting[first.index];
      if (line === undefined) return batch;
      first.index++;
      first.latest = firstTime;
      const isLast = first.index >= first.waiting.length;
      batch.push({ owner: first.owner, line, reached: isLast ? first.reached : undefined });
      if (isLast) {
        first.waiting = [];
        first.index = 0;
        // Nothing is known of what follows, until it has been read.
        first.isAtEnd = false;
        this.#read(first);
      }
    }
    return batch;
  }

  /** Settles when something was read, when a line that is held back can be given out, or when the signal aborts. */
  async #until(woken: Promise<void>): Promise<void> {
    const now = Date.now();
    let waitMs = Number.POSITIVE_INFINITY;
    for (const source of this.#sources) {
      const line = source.waiting[source.index];
      if (line !== undefined) waitMs = Math.min(waitMs, releaseAt(source, line.time) - now);
    }
    const timer =
      waitMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(this.#wake, Math.max(1, waitMs));
    const abort = (): void => this.#wake();
    this.#signal.addEventListener("abort", abort);
    await woken;
    this.#signal.removeEventListener("abort", abort);
    clearTimeout(timer);
  }
}

/** When a line has waited long enough, in milliseconds of the clock. A clock that is ahead holds nothing back. */
function releaseAt({ arrivedAt }: { readonly arrivedAt: number }, time: LogTime): number {
  return Math.min(toMs(time), arrivedAt) + holdBackMs;
}
