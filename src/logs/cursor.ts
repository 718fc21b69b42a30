/**
 * Cursors: where a reader has got to in one or more logs.
 *
 * Text of the form `1.TIME.WINDOW.ENTRY~ENTRY`, where an entry is
 * `CONTAINER-DEVICE-INODE-FIRSTRECORD-OFFSET[-PENDING]`. Numbers are in base 36. Holds no secret and grants nothing:
 * it only says where to go on in a log that the caller may read anyway.
 */
import type { FileKey } from "./log-file.ts";
import type { LogTime } from "./log-time.ts";

/** A place in a log, by the identity of its file. */
export interface Position {
  readonly key: FileKey;
  readonly offset: number;
  /** Where an unfinished line begins, which is needed to go on. */
  readonly pending?: { readonly key: FileKey; readonly offset: number } | undefined;
}

export interface Cursor {
  /** Of the last line. */
  readonly time: LogTime;
  /**
   * How long before `time` a log without a position has to be read from, in milliseconds: it had no line in that time.
   */
  readonly windowMs: number;
  /** By the first digits of the container's id. */
  readonly positions: ReadonlyMap<string, Position>;
}

/** Digits of a container's id in a cursor. */
const idDigits = 12;

export const cursorId = (containerId: string): string => containerId.slice(0, idDigits);

const base36 = (value: number): string => value.toString(36);
const keyText = ({ device, inode, firstRecord }: FileKey): string =>
  `${base36(device)}-${base36(inode)}-${firstRecord}`;

export function formatCursor({ time, windowMs, positions }: Cursor): string {
  const entries = Array.from(positions, ([id, { key, offset, pending }]) => {
    const rest = pending === undefined ? "" : `-${keyText(pending.key)}-${base36(pending.offset)}`;
    return `${id}-${keyText(key)}-${base36(offset)}${rest}`;
  });
  return `1.${base36(time.seconds)}-${base36(time.nanos)}.${base36(windowMs)}.${entries.join("~")}`;
}

/** Entries that a cursor has at most. */
export const maxEntries = 32;
const maxCursorLength = 8192;
const number = /^[0-9a-z]{1,11}$/;
const hash = /^[0-9a-f]{16}$/;

/** Undefined if the text is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  if (text.length > maxCursorLength) return undefined;
  const [version, time = "", window = "", entries, ...others] = text.split(".");
  if (version !== "1" || entries === undefined || others.length > 0) return undefined;
  const [seconds, nanos, ...more] = time.split("-").map(numberOf);
  const windowMs = numberOf(window);
  if (seconds === undefined || nanos === undefined || nanos > 999_999_999 || more.length > 0)
    return undefined;
  // The last second that a date can show.
  if (seconds > 253_402_300_799 || windowMs === undefined) return undefined;
  const positions = new Map<string, Position>();
  const texts = entries === "" ? [] : entries.split("~");
  if (texts.length > maxEntries) return undefined;
  for (const entry of texts) {
    const [id = "", ...parts] = entry.split("-");
    const here = placeOf(parts.slice(0, 4));
    if (!/^[0-9a-f]{12}$/.test(id) || here === undefined) return undefined;
    const pending = parts.length === 4 ? undefined : placeOf(parts.slice(4));
    if (parts.length !== 4 && pending === undefined) return undefined;
    positions.set(id, { ...here, pending });
  }
  return { time: { seconds, nanos }, windowMs, positions };
}

function numberOf(text: string): number | undefined {
  const value = number.test(text) ? Number.parseInt(text, 36) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function placeOf(parts: readonly string[]): { readonly key: FileKey; readonly offset: number } | undefined {
  const [device = "", inode = "", firstRecord = "", offset = "", ...others] = parts;
  const [d, i, o] = [device, inode, offset].map(numberOf);
  if (d === undefined || i === undefined || o === undefined || others.length > 0) return undefined;
  return hash.test(firstRecord) ? { key: { device: d, inode: i, firstRecord }, offset: o } : undefined;
}
