/**
 * One record of a log file, which is a line of the file: a line of the container, or a part of one.
 *
 * containerd and CRI-O write `TIME STREAM TAG TEXT`, where the tag is P for a part and F for a whole line or its last
 * part (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md). dockerd writes
 * a JSON object (https://docs.docker.com/engine/logging/drivers/json-file/), whose text ends with a newline unless the
 * line goes on in the next one.
 */
import { type LogTime, timeAt } from "./log-time.ts";

export type LogStream = "stdout" | "stderr";

export interface LogRecord {
  /** Undefined if the record is in none of the formats: `text` is then the whole record. */
  readonly time: LogTime | undefined;
  readonly stream: LogStream | undefined;
  /** Whether the line goes on in the next record of the stream. */
  readonly isPartial: boolean;
  /** Bytes as the container wrote them; a view of the buffer where the format allows. */
  readonly text: Buffer;
}

const openBrace = 123;
const space = 32;
const letterP = 80;
const letterF = 70;
const colon = 58;

/** Reads the record in `bytes` from `start` to `end`, without its newline. */
export function parseRecord(bytes: Buffer, start: number, end: number): LogRecord {
  const record = bytes[start] === openBrace ? parseJsonFile(bytes, start, end) : parseCri(bytes, start, end);
  return record ?? { time: undefined, stream: undefined, isPartial: false, text: bytes.subarray(start, end) };
}

function parseCri(bytes: Buffer, start: number, end: number): LogRecord | undefined {
  const time = timeAt(bytes, start);
  // ` stdout F ` is the shortest that can follow; the text may be empty, and its space missing.
  if (time === undefined || bytes[time.end] !== space || end - time.end < 9) return undefined;
  const stream = streamAt(bytes, time.end + 1);
  if (stream === undefined || bytes[time.end + 7] !== space) return undefined;
  const tag = bytes[time.end + 8];
  if (tag !== letterP && tag !== letterF) return undefined;
  let at = time.end + 9;
  // Further tags follow behind colons.
  if (bytes[at] === colon) while (at < end && bytes[at] !== space) at++;
  if (at < end && bytes[at] !== space) return undefined;
  const text = bytes.subarray(Math.min(at + 1, end), end);
  return { time, stream, isPartial: tag === letterP, text };
}

/** `stdout` or `stderr` at a place: they differ from the fourth letter on. */
function streamAt(bytes: Buffer, at: number): LogStream | undefined {
  if (bytes[at] !== 115 || bytes[at + 1] !== 116 || bytes[at + 2] !== 100) return undefined;
  if (bytes[at + 3] === 111 && bytes[at + 4] === 117 && bytes[at + 5] === 116) return "stdout";
  if (bytes[at + 3] === 101 && bytes[at + 4] === 114 && bytes[at + 5] === 114) return "stderr";
  return undefined;
}

function parseJsonFile(bytes: Buffer, start: number, end: number): LogRecord | undefined {
  let value: { readonly log?: unknown; readonly stream?: unknown; readonly time?: unknown };
  try {
    value = JSON.parse(bytes.toString("utf8", start, end));
  } catch {
    return undefined;
  }
  const { log, stream, time } = value;
  if (typeof log !== "string" || typeof time !== "string") return undefined;
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const at = timeAt(Buffer.from(time, "latin1"), 0);
  if (at === undefined) return undefined;
  const isPartial = !log.endsWith("\n");
  return { time: at, stream, isPartial, text: Buffer.from(isPartial ? log : log.slice(0, -1)) };
}

/** Whether a record that begins with this byte is one of dockerd's. */
export const isJsonFile = (firstByte: number | undefined): boolean => firstByte === openBrace;

/** What a part of a line in the format of containerd and CRI-O contains; short, to be found fast. */
export const partMarks: readonly Buffer[] = [Buffer.from("out P"), Buffer.from("err P")];
