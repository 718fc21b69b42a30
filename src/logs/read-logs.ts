/**
 * The lines of all containers that a selection finds, merged by time, with a cursor behind each of them. Containers
 * join and leave while they are followed.
 */
import { setMaxListeners } from "node:events";
import { GatewayError } from "../errors.ts";
import {
  ContainerLog,
  type From,
  type LogOptions,
  nearestPosition,
  PositionGone,
  type ReadQuery,
} from "./container-log.ts";
import { type Cursor, cursorId, formatCursor, maxEntries, type Position } from "./cursor.ts";
import type { Line } from "./join-lines.ts";
import type { FileKey, LogFile } from "./log-file.ts";
import type { Selection } from "./log-selection.ts";
import { compareTimes, fromMs, type LogTime, toMs } from "./log-time.ts";
import type { ContainerSource, Found, LoggedContainer } from "./logged-containers.ts";
import { LineMerge, type MergedLine } from "./merge-lines.ts";
import type { Reached } from "./read-lines.ts";

export interface LogsQuery extends ReadQuery {
  readonly selection: Selection;
  /** Go on behind a line. Takes precedence over `tailLines`. */
  readonly cursor?: Cursor | undefined;
}

export interface LogsOptions {
  readonly containers: ContainerSource;
  /** Folders below which logs may lie. */
  readonly roots: readonly string[];
  readonly query: LogsQuery;
  readonly signal: AbortSignal;
}

/** A line, and where it comes from. */
export interface LogLine {
  readonly container: LoggedContainer;
  readonly line: Line;
}

/** Logs that are being read. */
export interface OpenLogs {
  /** Batches of lines that were ready at the same time. `cursor()` is behind the last line of a batch. */
  readonly lines: AsyncIterable<readonly LogLine[]>;
  /** Takes note that a line has been given out. To be called for each line, in order. */
  passed(line: LogLine): void;
  /** The cursor behind everything that was passed; undefined while there was no line. */
  cursor(): string | undefined;
  /** Bytes that were looked at. */
  readonly readBytes: number;
}

/** Receives who reads logs and how much, for metrics. */
export interface LogsObserver {
  /** Called when a reader begins; it reports to the result. A follower waits for lines that are not yet written. */
  readerBegan(isFollower: boolean): LogReader;
}

export interface LogReader {
  /** Called with the total number of bytes that it has read. */
  readBytes(sinceBeginning: number): void;
  ended(): void;
}

/** Logs that one request reads. Each takes a descriptor. */
const maxLogs = 500;
/** Logs that are opened at a time. */
const openAtOnce = 8;
/** A log without a line in this time has no position in a cursor: all its newer lines are wanted. */
const windowMs = 10_000;

/** A place that a log was read to, and the time of the last line or record. */
interface Mark {
  readonly position: Position;
  readonly time: LogTime;
}

type Passed = MergedLine<LoggedContainer> & LogLine;

/**
 * Opens the logs. The first failure is thrown here; one that is followed may fail later.
 *
 * @throws {GatewayError} `log_not_readable`, `cursor_gone`, `invalid_request`, and those of the runtime.
 */
export async function openLogs(options: LogsOptions): Promise<OpenLogs> {
  const logs = new Logs(options);
  await logs.open();
  return logs;
}

class Logs implements OpenLogs {
  readonly #options: LogsOptions;
  readonly #merge: LineMerge<LoggedContainer>;
  /** By container id. */
  readonly #open = new Map<string, ContainerLog>();
  readonly #known = new Set<string>();
  readonly #ending = new AbortController();
  /** Aborts when the reader has left, or has enough. */
  readonly #signal: AbortSignal;
  readonly #marks = new Map<string, Mark>();
  #latest: LogTime | undefined;
  #surplus = 0;
  #isAlone = true;
  /** Why the first of the logs that are left out cannot be read. */
  #skipped: GatewayError | undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#ending.signal]);
    // Each of the logs listens.
    setMaxListeners(0, this.#signal);
    this.#merge = new LineMerge(this.#signal);
    this.#merge.onReached = ({ id }, reached) => this.#mark(id, reached, reached.time);
    const { cursor } = options.query;
    this.#latest = cursor?.time;
    for (const [id, position] of cursor?.positions ?? [])
      this.#marks.set(id, { position, time: cursor?.time ?? { seconds: 0, nanos: 0 } });
  }

  get readBytes(): number {
    return this.#merge.readBytes;
  }

  async open(): Promise<void> {
    const { containers, query } = this.#options;
    const first = await containers.list(query.selection);
    const { containers: found, isThere, isComplete } = first;
    if (!isThere) throw absentSubject(query.selection);
    const present = found.filter(({ isRemoved }) => !isRemoved).length;
    if (present > maxLogs)
      throw new GatewayError(
        "invalid_request",
        `Cannot read the logs of ${present} containers at once: choose at most ${maxLogs} by labelSelector, namespace or pod`,
      );
    this.#isAlone = found.length === 1 && isComplete;
    // Those that were removed first are left out.
    for (const { id } of found.slice(maxLogs)) this.#known.add(id);
    try {
      await this.#join(found.slice(0, maxLogs), { isFirst: true });
      const isOnePod = query.selection.podSandboxId !== undefined;
      if (isOnePod && this.#open.size === 0 && this.#skipped !== undefined) throw this.#skipped;
    } catch (error) {
      await this.#closeAll();
      throw error;
    }
    if (query.tailLines !== undefined && query.cursor === undefined) {
      const total = [...this.#open.values()].reduce((sum, log) => sum + (log.found ?? 0), 0);
      this.#surplus = Math.max(0, total - query.tailLines);
    }
    if (!query.follow || (isComplete && found.every(({ isEnded }) => isEnded))) this.#merge.endJoins();
    else void this.#watch(first);
  }

  get lines(): AsyncIterable<readonly Passed[]> {
    const lines = this.#lines();
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => lines.next(),
        return: () => {
          // First of all: logs that are followed may wait for their next line.
          this.#ending.abort();
          return lines.return(undefined);
        },
      }),
    };
  }

  async *#lines(): AsyncGenerator<readonly Passed[]> {
    try {
      for await (const batch of this.#merge.merged()) {
        const surplus = Math.min(this.#surplus, batch.length);
        this.#surplus -= surplus;
        const wanted = batch.slice(surplus).map((merged) => ({ ...merged, container: merged.owner }));
        if (wanted.length > 0) yield wanted;
      }
    } finally {
      this.#ending.abort();
    }
  }

  /** Opens the logs of containers that were not there before. */
  async #join(found: readonly LoggedContainer[], { isFirst }: { readonly isFirst: boolean }): Promise<void> {
    const added = found.filter(({ id }) => !this.#known.has(id));
    for (let at = 0; at < added.length; at += openAtOnce) {
      const some = added.slice(at, at + openAtOnce);
      const results = await Promise.allSettled(some.map((container) => this.#openOne(container, isFirst)));
      const failed = results.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    }
  }

  async #openOne(container: LoggedContainer, isFirst: boolean): Promise<void> {
    const { containers, roots, query } = this.#options;
    const { id, isEnded } = container;
    let logPath: string;
    try {
      logPath = await containers.logPathOf(id);
    } catch (error) {
      // It was removed since it was listed.
      if (!this.#isAlone && error instanceof GatewayError && error.code === "not_found") {
        this.#known.add(id);
        return;
      }
      throw error;
    }
    const tailLines = isFirst && query.cursor === undefined ? query.tailLines : undefined;
    const options = {
      containerId: id,
      logPath,
      roots,
      query: { ...query, tailLines },
      isEnded,
      signal: this.#signal,
    };
    const log = new ContainerLog(options);
    this.#known.add(id);
    try {
      await log.open(this.#fromOf(id));
    } catch (error) {
      await log.close();
      // Of many, those that can be read are worth more than a refusal.
      if (!this.#isAlone && error instanceof GatewayError && error.code === "log_not_readable") {
        this.#skipped ??= error;
        return;
      }
      throw error instanceof PositionGone ? await this.#gone(options) : error;
    }
    this.#open.set(id, log);
    this.#merge.add({ owner: container, lines: log.lines() });
  }

  #fromOf(id: string): From {
    const { cursor } = this.#options.query;
    if (cursor === undefined) return {};
    const position = cursor.positions.get(cursorId(id));
    if (position !== undefined) return { position };
    if (this.#isAlone)
      throw new GatewayError("invalid_request", `Invalid cursor: it is not of container "${id}"`, {
        errors: [{ parameter: "cursor", detail: "is of another container" }],
      });
    const { time, windowMs: window } = cursor;
    // Without a window everything up to this time has been given out.
    return { time: window === 0 ? nextNano(time) : fromMs(toMs(time) - window) };
  }

  async #gone(options: LogOptions): Promise<GatewayError> {
    const { cursor } = this.#options.query;
    const id = cursorId(options.containerId);
    const nearest = cursor === undefined ? undefined : await nearestPosition(options, cursor.time);
    const next =
      cursor === undefined || nearest === undefined
        ? undefined
        : formatCursor({ ...cursor, positions: new Map(cursor.positions).set(id, nearest.position) });
    const why = `Cannot go on behind this cursor: the file that it names is gone`;
    return next === undefined
      ? new GatewayError("cursor_gone", `${why}, and there is no later line`)
      : new GatewayError("cursor_gone", `${why}; "cursor" is the nearest one that exists`, {
          members: { cursor: next },
        });
  }

  /** Lists again and again, and lets containers join and leave. */
  async #watch(first: Found): Promise<void> {
    const { containers, query } = this.#options;
    const signal = this.#signal;
    const watch = containers.watch(query.selection, signal);
    for (let listed: Found | undefined = first; ; ) {
      await watch.due(listed);
      if (signal.aborted) return;
      listed = undefined;
      try {
        listed = await containers.list(query.selection);
        const { containers: found, isComplete } = listed;
        const alive = new Set(found.flatMap(({ id, isEnded }) => (isEnded ? [] : [id])));
        for (const [id, log] of this.#open) {
          if (alive.has(id)) continue;
          log.end();
          this.#open.delete(id);
        }
        if (this.#merge.size < maxLogs) await this.#join(found, { isFirst: false });
        if (isComplete && alive.size === 0) {
          this.#merge.endJoins();
          return;
        }
      } catch (error) {
        // A runtime that restarts: its containers, and their logs, go on meanwhile.
        if (error instanceof GatewayError && outages.has(error.code)) continue;
        this.#merge.fail(error);
        return;
      }
    }
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map((log) => log.close()));
  }

  passed(line: LogLine): void {
    const { owner, line: read, reached } = line as Passed;
    const { time, file, end, pending } = read;
    if (this.#latest === undefined || compareTimes(time, this.#latest) > 0) this.#latest = time;
    this.#mark(owner.id, reached ?? { file, offset: end, pending }, time);
  }

  #mark(
    id: string,
    { file, offset, pending }: Pick<Reached, "file" | "offset" | "pending">,
    time: LogTime,
  ): void {
    const key = file.knownKey;
    if (key === undefined) return;
    const short = cursorId(id);
    // The one that was read last is the last.
    this.#marks.delete(short);
    this.#marks.set(short, { position: { key, offset, pending: pendingOf(pending) }, time });
  }

  cursor(): string | undefined {
    const time = this.#latest ?? [...this.#marks.values()].at(-1)?.time;
    if (time === undefined) return undefined;
    const oldest = toMs(time) - windowMs;
    const recent = [...this.#marks].filter(([, mark]) => this.#isAlone || toMs(mark.time) >= oldest);
    const isComplete = recent.length <= maxEntries;
    const kept = recent.slice(-maxEntries).map(([id, { position }]) => [id, position] as const);
    return formatCursor({ time, windowMs: isComplete ? windowMs : 0, positions: new Map(kept) });
  }
}

function absentSubject({ containerId, podSandboxId }: Selection): GatewayError {
  const subject = containerId === undefined ? `pod "${podSandboxId}"` : `container "${containerId}"`;
  return new GatewayError("not_found", `Cannot find ${subject}: the runtime has none of this id`);
}

const outages: ReadonlySet<string> = new Set([
  "runtime_unavailable",
  "deadline_exceeded",
  "runtime_exhausted",
  "runtime_error",
]);

const nextNano = ({ seconds, nanos }: LogTime): LogTime =>
  nanos === 999_999_999 ? { seconds: seconds + 1, nanos: 0 } : { seconds, nanos: nanos + 1 };

function pendingOf(
  pending: { readonly file: LogFile; readonly offset: number } | undefined,
): { readonly key: FileKey; readonly offset: number } | undefined {
  const key = pending?.file.knownKey;
  return pending === undefined || key === undefined ? undefined : { key, offset: pending.offset };
}
