/** Which lines of a log are wanted, with the lines around those that match. */
import type { Line } from "./join-lines.ts";
import { fieldsOf, isAtLeast, type LogLevel, levelOf } from "./log-level.ts";
import type { LogStream } from "./log-record.ts";
import { compareTimes, type LogTime } from "./log-time.ts";
import { requiredLiteral } from "./required-literal.ts";

export interface LineQuery {
  readonly since?: LogTime | undefined;
  readonly until?: LogTime | undefined;
  readonly stream?: LogStream | undefined;
  /** A text that the line contains. */
  readonly grep?: string | undefined;
  /** A regular expression in RE2's syntax that matches somewhere in the line. */
  readonly regex?: string | undefined;
  /** The least severe level. Lines whose level is not known are not wanted then. */
  readonly level?: LogLevel | undefined;
  /** Lines before and after each that matches. */
  readonly before: number;
  readonly after: number;
}

/** A query that was compiled. */
export interface LineTests {
  readonly query: LineQuery;
  /** Whether a line is within the times and of the stream. */
  readonly isInRange: (line: Line) => boolean;
  /** Whether a line matches; undefined if every line does. */
  readonly matches: ((line: Line) => boolean) | undefined;
  /** Bytes that every wanted line contains; undefined if there are none. */
  readonly literal: Buffer | undefined;
}

export class BadPattern extends Error {}

/**
 * Compiles a query.
 *
 * @throws {BadPattern} if `regex` is none.
 */
export async function compileQuery(query: LineQuery): Promise<LineTests> {
  const { grep, regex, level, stream, since, until } = query;
  const tests: ((text: string) => boolean)[] = [];
  if (grep !== undefined) tests.push((text) => text.includes(grep));
  if (regex !== undefined) {
    const pattern = await compileRegex(regex);
    tests.push((text) => pattern.test(text));
  }
  if (level !== undefined) {
    tests.push((text) => {
      const found = levelOf(text, fieldsOf(text));
      return found !== undefined && isAtLeast(found, level);
    });
  }
  const literals = [
    grep === undefined || grep.includes("\uFFFD") ? "" : grep,
    regex === undefined ? "" : requiredLiteral(regex),
  ].sort((a, b) => b.length - a.length);
  const [literal = ""] = literals;
  const hasTests = tests.length > 0;
  return {
    query,
    isInRange: (line) =>
      (stream === undefined || line.stream === stream) &&
      (since === undefined || compareTimes(line.time, since) >= 0) &&
      (until === undefined || compareTimes(line.time, until) <= 0),
    matches: hasTests
      ? ({ bytes }) => {
          const text = bytes.toString("utf8");
          return tests.every((test) => test(text));
        }
      : undefined,
    // Lines before a match need not contain it, nor those after it.
    literal: literal === "" || query.before > 0 || query.after > 0 ? undefined : Buffer.from(literal),
  };
}

/** Linear in the length of the text, whatever the pattern. Loaded when first used. */
async function compileRegex(pattern: string): Promise<{ test(text: string): boolean }> {
  const { RE2JS } = await import("re2js");
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new BadPattern(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Lines that wait for a match after them hold no more bytes than this. */
const maxWaitingBytes = 4 * 1024 * 1024;

/** Applies a query to lines in their order. */
export class LineFilter {
  readonly #tests: LineTests;
  #surplus: number;
  #waiting: Line[] = [];
  #waitingBytes = 0;
  #following = 0;

  /** `surplus`: matches to leave out first. */
  constructor(tests: LineTests, surplus = 0) {
    this.#tests = tests;
    this.#surplus = surplus;
  }

  apply(lines: readonly Line[]): readonly Line[] {
    const wanted: Line[] = [];
    for (const line of lines) this.#push(line, wanted);
    return wanted;
  }

  #push(line: Line, wanted: Line[]): void {
    const { matches, isInRange, query } = this.#tests;
    if (!isInRange(line)) return;
    if (matches === undefined || matches(line)) {
      const isSurplus = this.#surplus > 0;
      if (isSurplus) this.#surplus--;
      else {
        for (const before of this.#waiting) wanted.push(before);
        wanted.push(line);
      }
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#following = isSurplus ? 0 : query.after;
      return;
    }
    if (this.#following > 0) {
      this.#following--;
      wanted.push(line);
      return;
    }
    if (query.before === 0) return;
    // A copy: the line would hold the whole stretch of the file that it was read with.
    this.#waiting.push({ ...line, bytes: Buffer.from(line.bytes) });
    this.#waitingBytes += line.bytes.length;
    while (this.#waiting.length > query.before || this.#waitingBytes > maxWaitingBytes)
      this.#waitingBytes -= this.#waiting.shift()?.bytes.length ?? 0;
  }
}
