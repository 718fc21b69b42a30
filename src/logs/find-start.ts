/** Finds where to start reading a log: at a time, or so far before its end that a number of lines follow. */
import type { Line } from "./join-lines.ts";
import type { LogChain } from "./log-chain.ts";
import type { LogFile, Place } from "./log-file.ts";
import { parseRecord } from "./log-record.ts";
import { compareTimes, type LogTime, toMs } from "./log-time.ts";
import { lookBack } from "./look-back.ts";
import { disorderMs, readLines, type Start } from "./read-lines.ts";

const newline = 10;
const blockBytes = 64 * 1024;

/** Where the lines begin that are not before `time`, within the disorder of a log. */
export async function startAtTime(chain: LogChain, time: LogTime): Promise<Start> {
  const place = await placeOfTime(chain, time);
  if (place === undefined) return { from: undefined, behind: undefined };
  return await startBehind(chain, place);
}

/** A start from which all lines are whole that end behind `place`, which is the beginning of a record. */
async function startBehind(chain: LogChain, place: Place): Promise<Start> {
  return { from: await lookBack(chain, place), behind: place };
}

/** A place before which every record is older than `time`; undefined if there are no files. */
async function placeOfTime(chain: LogChain, time: LogTime): Promise<Place | undefined> {
  const goalMs = toMs(time) - disorderMs;
  let oldest: LogFile | undefined;
  for (const name of (await chain.names()).toReversed()) {
    const file = await chain.open(name);
    if (file === undefined) continue;
    oldest = file;
    const first = await file.firstTime();
    if (first !== undefined && toMs(first) < goalMs)
      return { file, offset: file.source.isSequential ? 0 : await searchFile(file, goalMs) };
    await chain.trim([file]);
  }
  return oldest === undefined ? undefined : { file: oldest, offset: 0 };
}

/** The beginning of a record before which every record is older than `goalMs`, by binary search. */
async function searchFile(file: LogFile, goalMs: number): Promise<number> {
  let low = 0;
  let high = await file.source.size();
  while (high - low > blockBytes) {
    const middle = low + Math.floor((high - low) / 2);
    const found = await firstTimed(file, middle, high);
    if (found !== undefined && toMs(found.time) < goalMs) low = found.offset;
    else high = middle;
  }
  return low;
}

/** The first record with a time that begins behind `offset` and before `end`. */
async function firstTimed(
  file: LogFile,
  offset: number,
  end: number,
): Promise<{ readonly offset: number; readonly time: LogTime } | undefined> {
  for (let at = offset; at < end; ) {
    const block = await file.source.read(at, blockBytes);
    if (block.length === 0) return undefined;
    for (let begin = block.indexOf(newline) + 1; begin > 0; ) {
      const recordEnd = block.indexOf(newline, begin);
      if (recordEnd === -1 || at + begin >= end) break;
      const { time } = parseRecord(block, begin, recordEnd);
      if (time !== undefined) return { offset: at + begin, time };
      begin = recordEnd + 1;
    }
    // Overlaps, for a record that this block has in part.
    at += Math.min(block.length, blockBytes / 2);
  }
  return undefined;
}

/** The end of a log at one moment; undefined if it has no files. */
export async function endOf(chain: LogChain): Promise<Place | undefined> {
  const file = await chain.last();
  return file && { file, offset: await file.source.size() };
}

export interface TailOptions {
  readonly lines: number;
  /** Whether a line counts. */
  readonly matches: (line: Line) => boolean;
  /** Bytes that every line contains that counts. */
  readonly literal: Buffer | undefined;
  /** No line before this time counts. */
  readonly since: LogTime | undefined;
  readonly until: LogTime | undefined;
  /** Whether a line without an end counts at the end of the log. */
  readonly flushes: boolean;
  readonly signal: AbortSignal;
}

export interface Tail {
  readonly start: Start;
  /** How many lines behind the start, of those that count, come before the wanted ones. */
  readonly surplus: number;
  /** How many are wanted and exist. */
  readonly found: number;
}

const firstSegmentBytes = 64 * 1024;
const maxSegmentBytes = 8 * 1024 * 1024;

/**
 * Where the last lines begin that match. Counts them in stretches from the end backwards, so a long log costs no more
 * than a short one.
 */
export async function startOfTail(chain: LogChain, end: Place, options: TailOptions): Promise<Tail> {
  const { lines, since, signal } = options;
  let { file, offset: high } = end;
  let segmentBytes = firstSegmentBytes;
  let total = 0;
  let isLast = true;
  for (;;) {
    while (high > 0) {
      const low = file.source.isSequential ? 0 : await recordBefore(file, high, segmentBytes);
      const start = await startBehind(chain, { file, offset: low });
      const count = await countLines(chain, start, { file, offset: high }, { ...options, isLast });
      total += count;
      if (total >= lines) return { start, surplus: total - lines, found: lines };
      signal.throwIfAborted();
      isLast = false;
      high = low;
      segmentBytes = Math.min(segmentBytes * 2, maxSegmentBytes);
      if (since !== undefined && (await isOlder(file, low, since)))
        return { start, surplus: 0, found: total };
    }
    const before = await chain.before(file);
    if (before === undefined)
      return { start: await startBehind(chain, { file, offset: 0 }), surplus: 0, found: total };
    await chain.trim([before, end.file]);
    file = before;
    high = await file.source.size();
  }
}

/** Whether the record at `offset` is older than `since`, and so is everything before it. */
async function isOlder(file: LogFile, offset: number, since: LogTime): Promise<boolean> {
  const block = await file.source.read(offset, blockBytes);
  const end = block.indexOf(newline);
  if (end === -1) return false;
  const { time } = parseRecord(block, 0, end);
  return time !== undefined && toMs(time) < toMs(since) - disorderMs;
}

/** The beginning of a record at least `bytes` before `high`, where there is one; else of the file. */
async function recordBefore(file: LogFile, high: number, bytes: number): Promise<number> {
  for (let size = bytes; size < high; size *= 2) {
    const start = high - size;
    // From the byte before: the record may begin exactly here.
    const block = await file.source.read(start - 1, Math.min(size, blockBytes) + 1);
    const found = block.indexOf(newline);
    if (found !== -1 && start + found < high) return start + found;
    // A stretch without a newline at its beginning; a longer one may have one elsewhere.
  }
  return 0;
}

async function countLines(
  chain: LogChain,
  start: Start,
  endAt: Place,
  { matches, literal, until, flushes, signal, isLast }: TailOptions & { readonly isLast: boolean },
): Promise<number> {
  let count = 0;
  const flushesHere = flushes && isLast;
  for await (const batch of readLines(chain, { start, endAt, literal, until, flushes: flushesHere, signal }))
    for (const line of batch.lines) if (matches(line)) count++;
  return count;
}

/**
 * The first place behind which every record is newer than `time`: where to go on when what came before is gone.
 * Undefined if there are no records.
 */
export async function placeBehind(
  chain: LogChain,
  time: LogTime,
): Promise<{ readonly place: Place; readonly time: LogTime } | undefined> {
  const start = await placeOfTime(chain, time);
  if (start === undefined) return undefined;
  let { file, offset } = start;
  for (;;) {
    const block = await file.source.read(offset, blockBytes * 4);
    let begin = 0;
    for (let end = block.indexOf(newline); end !== -1; end = block.indexOf(newline, begin)) {
      const record = parseRecord(block, begin, end);
      if (
        record.time !== undefined &&
        compareTimes(record.time, time) > 0 &&
        (await file.key()) !== undefined
      )
        return { place: { file, offset: offset + begin }, time: record.time };
      begin = end + 1;
    }
    offset += begin;
    if (begin > 0) continue;
    const next = await chain.after(file, undefined);
    if (next === undefined) {
      return (await file.key()) === undefined ? undefined : { place: { file, offset }, time };
    }
    file = next;
    offset = 0;
  }
}
