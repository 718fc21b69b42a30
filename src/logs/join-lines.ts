/** Joins the records of a log to the lines that the container wrote. */
import type { LogFile, Place } from "./log-file.ts";
import type { LogRecord, LogStream } from "./log-record.ts";
import type { LogTime } from "./log-time.ts";

/** The longest line, in bytes. What follows is dropped up to the end of the line. */
export const maxLineBytes = 1024 * 1024;

/** A line as the container wrote it. */
export interface Line {
  /** Of its first part. Of a record in no known format: that of the line before, or 1970. */
  readonly time: LogTime;
  /** Undefined if the line is in no known format. */
  readonly stream: LogStream | undefined;
  readonly bytes: Buffer;
  /** Whether it was longer than `maxLineBytes`. */
  readonly isTruncated: boolean;
  /** Where it ends. */
  readonly file: LogFile;
  readonly end: number;
  /** Where an unfinished line of the other stream begins, which reading on needs too. */
  readonly pending: Place | undefined;
}

interface Unfinished {
  readonly time: LogTime;
  readonly stream: LogStream;
  readonly start: Place;
  readonly parts: Buffer[];
  bytes: number;
  /** Whether it has been given out, cut, and the rest is being dropped. */
  isCut: boolean;
}

const epoch: LogTime = { seconds: 0, nanos: 0 };

export class LineJoiner {
  readonly #unfinished = new Map<LogStream, Unfinished>();
  #lastTime = epoch;

  /** The time of the last record. */
  get lastTime(): LogTime {
    return this.#lastTime;
  }

  /** Takes note of the time of records that are not read one by one. */
  passOver(lastTime: LogTime): void {
    this.#lastTime = lastTime;
  }

  get hasUnfinished(): boolean {
    return this.#unfinished.size > 0;
  }

  /** Whether a line has begun that has a time not after `limit`. */
  hasUnfinishedBefore(isBefore: (time: LogTime) => boolean): boolean {
    for (const { time } of this.#unfinished.values()) if (isBefore(time)) return true;
    return false;
  }

  /** Adds a record from `start` to `end` of its file; returns the line that it ends. */
  push(record: LogRecord, file: LogFile, start: number, end: number): Line | undefined {
    const { stream, text, isPartial } = record;
    if (record.time !== undefined) this.#lastTime = record.time;
    if (stream === undefined || record.time === undefined)
      return this.#lineOf({ time: this.#lastTime, stream: undefined, bytes: text, file, end });
    const open = this.#unfinished.get(stream);
    if (open === undefined) {
      if (!isPartial) return this.#lineOf({ time: record.time, stream, bytes: text, file, end });
      // A copy: parts may wait for long, and would hold the whole buffer.
      const parts = [Buffer.from(text)];
      const begin = { file, offset: start };
      this.#unfinished.set(stream, {
        ...{ time: record.time, stream, start: begin, parts },
        bytes: text.length,
        isCut: false,
      });
      return undefined;
    }
    if (!open.isCut) {
      open.parts.push(isPartial ? Buffer.from(text) : text);
      open.bytes += text.length;
    }
    if (!isPartial) this.#unfinished.delete(stream);
    if (open.isCut) return undefined;
    if (isPartial && open.bytes <= maxLineBytes) return undefined;
    const bytes = Buffer.concat(open.parts);
    if (isPartial) {
      open.isCut = true;
      open.parts.length = 0;
    }
    return this.#lineOf({ time: open.time, stream, bytes, file, end });
  }

  /** Lines that have begun and have no end, as at the end of a container without a last newline. */
  flush(file: LogFile, end: number): readonly Line[] {
    const open = [...this.#unfinished.values()].filter(({ isCut }) => !isCut);
    this.#unfinished.clear();
    return open.map(({ time, stream, parts }) =>
      this.#lineOf({ time, stream, bytes: Buffer.concat(parts), file, end }),
    );
  }

  #lineOf(line: Omit<Line, "isTruncated" | "pending">): Line {
    const isTruncated = line.bytes.length > maxLineBytes;
    return {
      time: line.time,
      stream: line.stream,
      bytes: isTruncated ? line.bytes.subarray(0, maxLineBytes) : line.bytes,
      isTruncated,
      file: line.file,
      end: line.end,
      pending: this.pendingStart,
    };
  }

  /** Where the first of the unfinished lines begins. */
  get pendingStart(): Place | undefined {
    // In the order in which they began.
    for (const { start } of this.#unfinished.values()) return start;
    return undefined;
  }
}
