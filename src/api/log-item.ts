/** A line of a log as its readers get it. */
import type { Line } from "../logs/join-lines.ts";
import { fieldsOf, levelOf } from "../logs/log-level.ts";
import { formatTime } from "../logs/log-time.ts";
import type { LogLine } from "../logs/read-logs.ts";
import type { LogItem } from "../routes/answers.ts";
import type { LogParameters } from "./log-query.ts";

/** What an item says of where its line comes from: nothing, its container, or its pod too. */
export type Origin = "none" | "container" | "pod";

/** A line's text, as far as it may go out. */
export interface LimitedText {
  readonly text: string;
  readonly isTruncated: boolean;
}

export interface ItemOptions extends LimitedText {
  readonly origin: Origin;
  readonly cursor: string;
}

const replacement = "\uFFFD";

export function itemOf(
  { line, container }: LogLine,
  { text, isTruncated, origin, cursor }: ItemOptions,
): LogItem {
  const fields = fieldsOf(text);
  const isLossy = text.includes(replacement);
  // What `limitBytes` cut must not go out in another form.
  const isWhole = isTruncated === line.isTruncated;
  return {
    cursor,
    // JSON leaves out what is undefined.
    time: line.stream === undefined ? undefined : formatTime(line.time),
    stream: line.stream,
    text,
    container: origin === "none" ? undefined : container.name,
    containerId: origin === "none" ? undefined : container.id,
    pod: origin === "pod" ? container.pod : undefined,
    namespace: origin === "pod" ? container.namespace : undefined,
    removed: container.isRemoved || undefined,
    level: levelOf(text, fields),
    fields,
    truncated: isTruncated || undefined,
    lossy: isLossy || undefined,
    base64: isLossy && isWhole ? line.bytes.toString("base64") : undefined,
  };
}

/** What stands before a line of text: `[pod/NAME/CONTAINER] ` as kubectl writes it, and the time. */
export function beginningOf({ line, container }: LogLine, { prefix, timestamps }: LogParameters): string {
  const origin = prefix ? `[pod/${container.pod}/${container.name}] ` : "";
  return timestamps && line.stream !== undefined ? `${origin}${formatTime(line.time)} ` : origin;
}

/** Ends a log after a number of bytes, as `limitBytes` asks. */
export class ByteLimit {
  readonly #parameters: LogParameters;
  #left: number;

  constructor(parameters: LogParameters) {
    this.#parameters = parameters;
    this.#left = parameters.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  get isReached(): boolean {
    return this.#left <= 0;
  }

  /** The text of the next line; undefined if there is no room for it. */
  take(one: LogLine): LimitedText | undefined {
    const { line } = one;
    if (this.#left === Number.POSITIVE_INFINITY)
      return { text: line.bytes.toString("utf8"), isTruncated: line.isTruncated };
    const room = this.#left - Buffer.byteLength(beginningOf(one, this.#parameters));
    this.#left = room - line.bytes.length - 1;
    if (room <= 0) return undefined;
    if (line.bytes.length <= room)
      return { text: line.bytes.toString("utf8"), isTruncated: line.isTruncated };
    return { text: line.bytes.toString("utf8", 0, characterEnd(line, room)), isTruncated: true };
  }
}

/** The last end of a character of UTF-8 that is not behind `end`. */
function characterEnd({ bytes }: Line, end: number): number {
  let at = end;
  while (at > 0 && at > end - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
  return at;
}
