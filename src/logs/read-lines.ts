/**
 * Reads a log forwards from a place, through all its files, and on while it grows.
 *
 * Each line comes once and in order, whether a file is renamed, copied and truncated, compressed or deleted while it is
 * read: the descriptor of a file stays open until its end was read, and the file behind it is found by its identity.
 */
import type { ChangeWaiter } from "./await-change.ts";
import { type Line, LineJoiner } from "./join-lines.ts";
import type { LogChain } from "./log-chain.ts";
import type { LogFile, Place } from "./log-file.ts";
import { isJsonFile, parseRecord, partMarks } from "./log-record.ts";
import { compareTimes, type LogTime, toMs } from "./log-time.ts";

/** Where reading starts. */
export interface Start {
  /** Where the first record is read. Undefined: the log has no file yet. */
  readonly from: Place | undefined;
  /** Lines that end here or before it are left out; they only complete those behind it. Default: none. */
  readonly behind: Place | undefined;
}

export interface ReadOptions {
  readonly start: Start;
  /** Where reading ends; absent: at the end of the last file. */
  readonly endAt?: Place | undefined;
  /** No line after this time is needed. */
  readonly until?: LogTime | undefined;
  /** Bytes that every wanted line contains. Stretches of the log without them are passed over. */
  readonly literal?: Buffer | undefined;
  /** Whether a line without an end is given out at the end of the log. */
  readonly flushes: boolean;
  /** Reads on at the end of the log; absent: ends there. */
  readonly follow?: Following | undefined;
  readonly signal: AbortSignal;
}

export interface Following {
  readonly waiter: ChangeWaiter;
  /** Whether the container writes no more. */
  isEnded(): boolean;
}

/** Lines that were read together. */
export interface Batch {
  readonly lines: readonly Line[];
  /** Bytes that were looked at. */
  readonly readBytes: number;
  /** Where reading has got to: the cursor behind everything so far. Undefined while there is no record. */
  readonly reached: Reached | undefined;
  /** Whether there is nothing more at the moment. */
  readonly isAtEnd: boolean;
}

/** A place between two records. */
export interface Reached extends Place {
  readonly time: LogTime;
  /** Where an unfinished line begins. */
  readonly pending: Place | undefined;
}

const chunkBytes = 256 * 1024;
/** A record that is longer, which no runtime writes, is dropped. */
const maxRecordBytes = 4 * 1024 * 1024;
/** How far lines of one file are out of order: stdout against stderr, up to 9 ms measured. */
export const disorderMs = 50;
/** How long after a rotation the old file may still get lines: the two streams change files one after the other. */
const rotationGraceMs = 200;
/** At most between two checks whether the file was truncated. */
const truncationCheckMs = 50;

const newline = 10;

export async function* readLines(chain: LogChain, options: ReadOptions): AsyncGenerator<Batch> {
  const { start, endAt, follow, signal } = options;
  const reader = new Reader(options);
  let file = start.from?.file;
  let offset = start.from?.offset ?? 0;
  let wantedBytes = chunkBytes;
  let checkedAt = performance.now();
  /** Since when a newer file has had content, while this one may still get lines. */
  let leavingSince: number | undefined;
  let hasEnded = false;
  /** The file before this one. */
  let left: LogFile | undefined;
  /** Whether this file had no record when it was last looked at. */
  let wasEmpty = false;

  while (!signal.aborted) {
    if (file === undefined) {
      file = await chain.first();
      if (file === undefined) {
        if (follow === undefined || hasEnded) return;
        yield nothing;
        if (follow.isEnded()) hasEnded = true;
        else await follow.waiter.wait();
        continue;
      }
    }
    const isLast = endAt?.file === file;
    const length = isLast ? Math.min(wantedBytes, endAt.offset - offset) : wantedBytes;
    const chunk = length <= 0 ? empty : await file.source.read(offset, length);
    if ((await file.key()) === undefined) wasEmpty = true;
    else if (wasEmpty) {
      wasEmpty = false;
      // It may have been written, copied and truncated meanwhile: the copy comes first.
      const next = left === undefined ? await chain.first() : await chain.after(left, reader.lastTime);
      if (follow !== undefined && next !== undefined && next !== file) {
        await chain.release(file);
        file = next;
        offset = 0;
        continue;
      }
    }
    const isShort = chunk.length < length;
    const now = performance.now();
    if (isShort || now - checkedAt > truncationCheckMs) {
      checkedAt = now;
      if (await file.wasTruncated(offset + chunk.length)) {
        const copy = await chain.copyOf(file, offset);
        // What is known of the file is true of its copy only.
        if (follow === undefined) chain.forget(file);
        else await chain.release(file);
        if (copy === undefined) offset = 0;
        file = copy ?? (await chain.open(chain.place.name));
        continue;
      }
    }
    const usable = chunk.lastIndexOf(newline) + 1;
    if (usable > 0) {
      wantedBytes = chunkBytes;
      leavingSince = undefined;
      follow?.waiter.sawChange();
      const lines = reader.take(chunk.subarray(0, usable), file, offset);
      offset += usable;
      yield {
        lines,
        readBytes: usable,
        reached: reader.reached(file, offset),
        isAtEnd: false,
      };
      if (reader.isDone) return;
      continue;
    }
    if (chunk.length === wantedBytes) {
      // A long record: read it at once, or past it.
      if (wantedBytes < maxRecordBytes) wantedBytes *= 2;
      else {
        reader.skipRecord();
        offset += chunk.length;
      }
      continue;
    }
    if (isLast) break;

    const next = await chain.after(file, reader.lastTime);
    if (next !== undefined) {
      if (follow !== undefined && (await chain.isLive(next))) {
        const isEmpty = (await next.source.size()) === 0;
        if (!isEmpty) {
          leavingSince ??= performance.now();
          follow.waiter.sawChange();
        }
        if (leavingSince === undefined || performance.now() - leavingSince < rotationGraceMs) {
          if (isEmpty) yield { ...nothing, reached: reader.reached(file, offset) };
          if (follow.isEnded() && isEmpty) {
            if (hasEnded) break;
            hasEnded = true;
          } else await follow.waiter.wait();
          continue;
        }
      }
      // A record that its writer did not finish.
      const rest = chunk.length > 0 ? reader.take(chunk, file, offset) : [];
      if (rest.length > 0) yield { lines: rest, readBytes: chunk.length, reached: undefined, isAtEnd: false };
      // A follower would keep the disk space of each file that was removed since.
      if (follow !== undefined) await chain.release(file);
      else await chain.trim([next, ...(endAt === undefined ? [] : [endAt.file])]);
      leavingSince = undefined;
      left = file;
      wasEmpty = false;
      file = next;
      offset = 0;
      continue;
    }
    if (follow === undefined || hasEnded) break;
    yield { ...nothing, reached: reader.reached(file, offset) };
    // What was written before the container ended is read once more.
    if (follow.isEnded()) hasEnded = true;
    else if (reader.isPast(Date.now())) break;
    else await follow.waiter.wait();
  }
  if (options.flushes && file !== undefined && !signal.aborted) {
    const lines = reader.flush(file, offset);
    if (lines.length > 0)
      yield { lines, readBytes: 0, reached: reader.reached(file, offset), isAtEnd: false };
  }
}

const empty = Buffer.alloc(0);
const nothing: Batch = { lines: [], readBytes: 0, reached: undefined, isAtEnd: true };

/** Turns stretches of files into lines. */
class Reader {
  readonly #joiner = new LineJoiner();
  readonly #until: LogTime | undefined;
  readonly #literal: Buffer | undefined;
  readonly #behind: Place | undefined;
  #isBehind: boolean;
  #hasReachedFile: boolean;
  #skipsRecord = false;
  isDone = false;

  constructor({ until, literal, start: { from, behind } }: ReadOptions) {
    this.#until = until;
    this.#literal = literal;
    this.#behind = behind;
    this.#isBehind = behind === undefined;
    this.#hasReachedFile = from?.file === behind?.file;
  }

  get lastTime(): LogTime | undefined {
    return this.#joiner.lastTime.seconds === 0 ? undefined : this.#joiner.lastTime;
  }

  reached(file: LogFile, offset: number): Reached {
    return { file, offset, time: this.#joiner.lastTime, pending: this.#joiner.pendingStart };
  }

  /** Whether no more lines are wanted at this time of the clock, in milliseconds. */
  isPast(nowMs: number): boolean {
    return this.#until !== undefined && nowMs > toMs(this.#until) + 1000;
  }

  /** The record at the next place has lost its beginning. */
  skipRecord(): void {
    this.#skipsRecord = true;
  }

  take(region: Buffer, file: LogFile, offset: number): readonly Line[] {
    const lines: Line[] = [];
    if (this.#canPassOver(region, file, offset)) return lines;
    for (let at = 0; at < region.length; ) {
      const found = region.indexOf(newline, at);
      const end = found === -1 ? region.length : found;
      const begin = at;
      at = end + 1;
      if (this.#skipsRecord) {
        this.#skipsRecord = false;
        continue;
      }
      // A file that was truncated under a writer begins with zeros.
      let from = begin;
      while (from < end && region[from] === 0) from++;
      if (from === end) continue;
      const record = parseRecord(region, from, end);
      if (record.time !== undefined && this.#isTooLate(record.time)) {
        this.isDone = true;
        break;
      }
      const line = this.#joiner.push(record, file, offset + begin, offset + Math.min(at, region.length));
      if (line !== undefined && this.#isWanted(line)) lines.push(line);
    }
    return lines;
  }

  flush(file: LogFile, end: number): readonly Line[] {
    return this.#joiner.flush(file, end).filter((line) => this.#isWanted(line));
  }

  #isWanted({ file, end }: Line): boolean {
    return this.#isBehind || this.#passes(file, end);
  }

  /** Whether a place is behind the one that reading was to begin at. */
  #passes(file: LogFile, end: number): boolean {
    if (file === this.#behind?.file) {
      this.#hasReachedFile = true;
      this.#isBehind = end > this.#behind.offset;
    } else this.#isBehind = this.#hasReachedFile;
    return this.#isBehind;
  }

  #isTooLate(time: LogTime): boolean {
    const until = this.#until;
    if (until === undefined || toMs(time) <= toMs(until) + disorderMs) return false;
    return !this.#joiner.hasUnfinishedBefore((begun) => compareTimes(begun, until) <= 0);
  }

  /** Whether a stretch of whole records has no line that is wanted, and none that goes on in the next stretch. */
  #canPassOver(region: Buffer, file: LogFile, offset: number): boolean {
    const literal = this.#literal;
    if (literal === undefined || this.#joiner.hasUnfinished || this.#skipsRecord) return false;
    if (isJsonFile(region[0]) || region[0] === 0) return false;
    if (region.includes(literal) || partMarks.some((mark) => region.includes(mark))) return false;
    const last = region.lastIndexOf(newline, region.length - 2) + 1;
    const { time } = parseRecord(region, last, region.length - 1);
    if (time === undefined || this.#isTooLate(time)) return false;
    this.#joiner.passOver(time);
    if (!this.#isBehind) this.#passes(file, offset + region.length);
    return true;
  }
}
