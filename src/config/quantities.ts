/** Parsers and formatters for durations, counts and sizes. */
import { StartError } from "../errors.ts";

const unitMs: { readonly [unit: string]: number; readonly d: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** The longest duration of a limit. Timers hold at most 2^31 - 1 ms. */
export const maxDurationMs = unitMs.d;
/** The longest age: ten years. */
export const maxAgeMs = 3650 * unitMs.d;
/** What a duration looks like, for messages. */
export const durationForms = "a duration in the units ms, s, m, h or d, such as 30s, 1.5h or 1h30m";
export const maxCount = 9_999_999;
/** The smallest size. With less, a command or a long list would never find room. */
export const minSizeBytes = 16 * 2 ** 20;

const durationPart = /(\d{1,12}(?:\.\d{0,9})?)(ms|[smhd])/g;
/** Longest duration text, in characters. */
const maxDurationLength = 64;

/**
 * Parses a duration such as `250ms`, `30s`, `1.5h`, `1h30m` or `7d`, or `0`, into whole milliseconds. Returns undefined if
 * the text is none of these. Everything but zero is at least 1 ms, because 0 often means no limit.
 */
export function durationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (text === "" || text.length > maxDurationLength) return undefined;
  let ms = 0;
  let end = 0;
  for (const [part, amount, unit = ""] of text.matchAll(durationPart)) {
    ms += Number(amount) * (unitMs[unit] ?? Number.NaN);
    end += part.length;
  }
  if (end < text.length) return undefined;
  const whole = ms > 0 ? Math.max(1, Math.round(ms)) : 0;
  return Number.isSafeInteger(whole) ? whole : undefined;
}

/** Parses a duration of at most `longestMs`; `0` disables a limit. Returns milliseconds. @throws {StartError} */
export function readDuration(text: string, longestMs = maxDurationMs): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new StartError(`"${text}" is not ${durationForms}`);
  if (ms > longestMs)
    throw new StartError(`"${text}" is over ${formatDuration(longestMs)}, write 0 for no limit`);
  return ms;
}

/** Formats milliseconds as `readDuration` parses them: 14,400,000 -> `4h`. */
export function formatDuration(ms: number): string {
  const [unit = "ms", size = 1] = Object.entries(unitMs).findLast(([, one]) => ms % one === 0) ?? [];
  return ms === 0 ? "0" : `${ms / size}${unit}`;
}

/** Parses a whole number, at least 1. @throws {StartError} */
export function readCount(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text))
    throw new StartError(`"${text}" is not a count, write a number such as 1000`);
  return Number(text);
}

const sizes: { readonly [unit: string]: number } = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Parses `256MiB`, `1GiB` into bytes, at least 16 MiB. @throws {StartError} */
export function readSize(text: string): number {
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,5})(MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (sizes[unit] ?? Number.NaN);
  if (Number.isNaN(bytes)) throw new StartError(`"${text}" is not a size, write 256MiB or 1GiB`);
  if (bytes < minSizeBytes) throw new StartError(`"${text}" is too small, write at least 16MiB`);
  return bytes;
}

/** Parses `10MiB`, `1GiB`, `64KiB` and the kubelet's `10Mi` into bytes; `0` is no limit. @throws {StartError} */
export function readLogSize(text: string): number {
  if (text === "0") return 0;
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,6})([KMG]i)B?$/.exec(text) ?? [];
  const bytes = Number(amount) * (sizes[`${unit}B`] ?? Number.NaN);
  if (Number.isNaN(bytes)) throw new StartError(`"${text}" is no size, write 10MiB or 1GiB`);
  return bytes;
}

/** Formats bytes as `readSize` parses them: 268,435,456 -> `256MiB`. */
export function formatSize(bytes: number): string {
  const [unit = "KiB", size = 1] = Object.entries(sizes).findLast(([, one]) => bytes % one === 0) ?? [];
  return bytes === 0 ? "0" : `${bytes / size}${unit}`;
}
