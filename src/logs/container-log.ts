/** The log of one container, as a query wants it. */
import { dirname } from "node:path";
import { ChangeWaiter } from "./await-change.ts";
import type { Position } from "./cursor.ts";
import { endOf, placeBehind, startAtTime, startOfTail } from "./find-start.ts";
import type { Line } from "./join-lines.ts";
import { LineFilter, type LineTests } from "./line-filter.ts";
import { LogChain } from "./log-chain.ts";
import type { Place } from "./log-file.ts";
import { type LogPlace, locateLog } from "./log-place.ts";
import { compareTimes, type LogTime } from "./log-time.ts";
import { type Reached, readLines, type Start } from "./read-lines.ts";

/** What to read of a log. */
export interface ReadQuery {
  readonly tests: LineTests;
  /** Whether to read on as it grows, until the container has ended. */
  readonly follow: boolean;
  /** Only the last lines that match. */
  readonly tailLines?: number | undefined;
}

export interface LogOptions {
  readonly containerId: string;
  readonly logPath: string;
  /** Folders below which logs may lie. */
  readonly roots: readonly string[];
  readonly query: ReadQuery;
  /** Whether the container writes no more. */
  readonly isEnded: boolean;
  readonly signal: AbortSignal;
}

/** Where a log is read from. */
export interface From {
  /** Behind this position. Takes precedence. */
  readonly position?: Position | undefined;
  /** From this time on. */
  readonly time?: LogTime | undefined;
}

/** Lines that a query wants, as they were read. */
export interface FoundLines {
  readonly lines: readonly Line[];
  readonly readBytes: number;
  readonly reached: Reached | undefined;
  readonly isAtEnd: boolean;
}

/** The file of a position is gone. */
export class PositionGone extends Error {}

export class ContainerLog {
  readonly #options: LogOptions;
  #chain: LogChain | undefined;
  #waiter: ChangeWaiter | undefined;
  #start: Start = { from: undefined, behind: undefined };
  #endAt: Place | undefined;
  #surplus = 0;
  #floor: LogTime | undefined;
  #isEnded: boolean;
  /** How many lines of the tail exist; undefined without `tailLines`. */
  found: number | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#isEnded = options.isEnded;
  }

  /**
   * Finds the files and the place to begin at.
   *
   * @throws {GatewayError} `log_not_readable`
   * @throws {PositionGone}
   */
  async open({ position, time }: From): Promise<void> {
    const place = await this.#locate();
    if (place === undefined) return;
    const { query, signal } = this.#options;
    const { tests, follow, tailLines } = query;
    const chain = this.#use(place);
    // Of a log that is not followed, what is written from now on is not read: the end would never be reached.
    const end = await endOf(chain);
    if (!follow) this.#endAt = end;
    if (position !== undefined) {
      this.#start = await startBehind(chain, position);
      return;
    }
    this.#floor = time;
    const { until } = tests.query;
    const since = latest(tests.query.since, time);
    if (tailLines !== undefined) {
      const flushes = !follow || this.#isEnded;
      const { matches = () => true, isInRange, literal } = tests;
      const counts = (line: Line): boolean => isInRange(line) && matches(line);
      const tail =
        end === undefined || tailLines === 0
          ? undefined
          : await startOfTail(chain, end, {
              ...{ lines: tailLines, matches: counts, literal },
              ...{ since, until, flushes, signal },
            });
      this.#start = tail?.start ?? { from: end, behind: end };
      this.#surplus = tail?.surplus ?? 0;
      this.found = tail?.found ?? 0;
      return;
    }
    if (since !== undefined) this.#start = await startAtTime(chain, since);
  }

  /** The lines, as far as the signal does not abort. Can be called once, after `open`. */
  async *lines(): AsyncGenerator<FoundLines> {
    const { query, signal } = this.#options;
    const { tests, follow } = query;
    const filter = new LineFilter(tests, this.#surplus);
    try {
      if (this.#chain === undefined && follow) yield* this.#untilThere();
      const chain = this.#chain;
      if (chain === undefined || (!follow && this.#endAt === undefined)) return;
      const waiter = this.#waiter;
      const following = follow && waiter !== undefined ? { waiter, isEnded: () => this.#isEnded } : undefined;
      const batches = readLines(chain, {
        ...{ start: this.#start, endAt: this.#endAt, literal: tests.literal, until: tests.query.until },
        ...{ flushes: true, follow: following, signal },
      });
      const floor = this.#floor;
      const isNewer = (line: Line): boolean => floor === undefined || compareTimes(line.time, floor) >= 0;
      for await (const batch of batches)
        yield {
          ...batch,
          lines: filter.apply(floor === undefined ? batch.lines : batch.lines.filter(isNewer)),
        };
    } finally {
      await this.close();
    }
  }

  /** The container writes no more: a follower reads what there is, and ends. */
  end(): void {
    this.#isEnded = true;
    this.#waiter?.wake();
  }

  async close(): Promise<void> {
    this.#waiter?.close();
    await this.#chain?.close();
  }

  /** Waits for the folder of a log that no runtime has written yet. */
  async *#untilThere(): AsyncGenerator<FoundLines> {
    const { signal } = this.#options;
    const waiter = new ChangeWaiter(dirname(this.#options.logPath), signal);
    this.#waiter = waiter;
    while (!signal.aborted) {
      const place = await this.#locate();
      if (place !== undefined) {
        this.#use(place);
        return;
      }
      if (this.#isEnded) return;
      yield { lines: [], readBytes: 0, reached: undefined, isAtEnd: true };
      await waiter.wait();
    }
  }

  #locate(): Promise<LogPlace | undefined> {
    const { logPath, containerId, roots } = this.#options;
    return locateLog(logPath, { containerId, roots });
  }

  #use(place: LogPlace): LogChain {
    const chain = new LogChain(place);
    this.#chain = chain;
    if (this.#options.query.follow) this.#waiter = new ChangeWaiter(place.folder, this.#options.signal);
    return chain;
  }
}

const latest = (a: LogTime | undefined, b: LogTime | undefined): LogTime | undefined =>
  a !== undefined && b !== undefined ? (compareTimes(a, b) > 0 ? a : b) : (a ?? b);

/** @throws {PositionGone} */
async function startBehind(chain: LogChain, { key, offset, pending }: Position): Promise<Start> {
  const file = await chain.find(key);
  const isThere = file !== undefined && (file.source.isSequential || (await file.source.size()) >= offset);
  if (!isThere) throw new PositionGone("The file of a position is gone");
  const behind = { file, offset };
  if (pending === undefined) return { from: behind, behind };
  const begin = await chain.find(pending.key);
  return { from: begin === undefined ? behind : { file: begin, offset: pending.offset }, behind };
}

/** The position behind which all that is left of a log is newer than `time`. */
export async function nearestPosition(
  options: LogOptions,
  time: LogTime,
): Promise<{ readonly position: Position; readonly time: LogTime } | undefined> {
  const { logPath, containerId, roots } = options;
  const place = await locateLog(logPath, { containerId, roots });
  if (place === undefined) return undefined;
  const chain = new LogChain(place);
  try {
    const found = await placeBehind(chain, time);
    const key = await found?.place.file.key();
    if (found === undefined || key === undefined) return undefined;
    return { position: { key, offset: found.place.offset }, time: found.time };
  } finally {
    await chain.close();
  }
}
