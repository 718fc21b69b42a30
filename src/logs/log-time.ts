/** Times of log lines. Compared as numbers, because runtimes write the same time in different ways. */
import { durationMs } from "../config/quantities.ts";

/** A point in time. */
export interface LogTime {
  /** Whole seconds since the Unix epoch. */
  readonly seconds: number;
  /** Nanoseconds within the second. */
  readonly nanos: number;
}

/** Negative if `a` is before `b`, positive if it is after it, 0 if they are equal. */
export const compareTimes = (a: LogTime, b: LogTime): number => a.seconds - b.seconds || a.nanos - b.nanos;

/** Milliseconds since the Unix epoch, with a fraction. */
export const toMs = ({ seconds, nanos }: LogTime): number => seconds * 1000 + nanos / 1e6;

/** `ms`: milliseconds since the Unix epoch. */
export function fromMs(ms: number): LogTime {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(Math.round((ms - seconds * 1000) * 1e6), 999_999_999) };
}

/** RFC 3339 in UTC with nine digits after the point, so that texts sort as times do. */
export function formatTime({ seconds, nanos }: LogTime): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${String(nanos).padStart(9, "0")}Z`;
}

/** A time in a text, and where it ends. */
export interface TimeAt extends LogTime {
  readonly end: number;
}

const zero = 48;
const isDigit = (byte: number | undefined): byte is number => byte !== undefined && byte >= 48 && byte <= 57;

/** The number that `count` digits at `at` make; NaN if one of them is no digit. */
function digitsAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const byte = bytes[i];
    if (!isDigit(byte)) return Number.NaN;
    value = value * 10 + byte - zero;
  }
  return value;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
function daysTo(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

const daysIn = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Reads an RFC 3339 time that begins at `at`; undefined if there is none. Digits after the ninth are dropped. */
export function timeAt(bytes: Uint8Array, at: number): TimeAt | undefined {
  if (bytes[at + 4] !== 45 || bytes[at + 7] !== 45 || bytes[at + 13] !== 58 || bytes[at + 16] !== 58)
    return undefined;
  const separator = bytes[at + 10];
  if (separator !== 84 && separator !== 116 && separator !== 32) return undefined;
  const month = digitsAt(bytes, at + 5, 2);
  const day = digitsAt(bytes, at + 8, 2);
  const hour = digitsAt(bytes, at + 11, 2);
  const minute = digitsAt(bytes, at + 14, 2);
  const second = digitsAt(bytes, at + 17, 2);
  const inRange = day >= 1 && day <= (daysIn[month - 1] ?? 0) && hour <= 23 && minute <= 59 && second <= 60;
  if (!inRange) return undefined;
  const days = daysTo(digitsAt(bytes, at, 4), month, day);
  let end = at + 19;
  let nanos = 0;
  if (bytes[end] === 46) {
    let scale = 100_000_000;
    for (end++; ; end++) {
      const byte = bytes[end];
      if (!isDigit(byte)) break;
      nanos += (byte - zero) * scale;
      scale = scale === 1 ? 0 : scale / 10;
    }
    if (bytes[end - 1] === 46) return undefined;
  }
  const zone = bytes[end];
  let offset = 0;
  if (zone === 43 || zone === 45) {
    offset = digitsAt(bytes, end + 1, 2) * 3600 + digitsAt(bytes, end + 4, 2) * 60;
    if (bytes[end + 3] !== 58) return undefined;
    if (zone === 45) offset = -offset;
    end += 6;
  } else if (zone === 90 || zone === 122) end++;
  else return undefined;
  const seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
  return Number.isNaN(seconds) ? undefined : { seconds, nanos, end };
}

/** Parses an RFC 3339 time, or a duration before `nowMs`; undefined if the text is neither. */
export function timeOf(text: string, nowMs: number): LogTime | undefined {
  const bytes = Buffer.from(text);
  const time = timeAt(bytes, 0);
  if (time !== undefined && time.end === bytes.length) return { seconds: time.seconds, nanos: time.nanos };
  const ago = durationMs(text);
  return ago === undefined ? undefined : fromMs(nowMs - ago);
}
