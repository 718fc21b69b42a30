/** Parsers and formatters for durations, counts and sizes. */
import { StartError } from "../errors.ts";

const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** The longest duration. Timers hold at most 2^31 - 1 ms. */
export const maxDurationMs = 24 * 3_600_000;
export const maxCount = 9_999_999;
/** The smallest size. With less, a command or a long list would never find room. */
export const minSizeBytes = 16 * 2 ** 20;

/** Parses `250ms`, `30s`, `5m`, `4h` into milliseconds; `0` disables a limit. @throws {StartError} */
export function readDuration(text: string): number {
  if (text === "0") return 0;
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,8})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(amount) * (units[unit] ?? Number.NaN);
  if (Number.isNaN(ms) || amount === "")
    throw new StartError(`"${text}" is not a duration, write 30s, 5m or 4h`);
  if (ms > maxDurationMs) throw new StartError(`"${text}" is over 24h, write 0 for no limit`);
  return ms;
}

/** Formats milliseconds as `readDuration` parses them: 14,400,000 -> `4h`. */
export function formatDuration(ms: number): string {
  const [unit = "ms", unitMs = 1] = Object.entries(units).findLast(([, size]) => ms % size === 0) ?? [];
  return ms === 0 ? "0" : `${ms / unitMs}${unit}`;
}

/** Parses a whole number, at least 1. @throws {StartError} */
export function readCount(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text))
    throw new StartError(`"${text}" is not a count, write a number such as 1000`);
  return Number(text);
}

const sizes: { readonly [unit: string]: number } = { MiB: 2 ** 20, GiB: 2 ** 30 };

/** Parses `256MiB`, `1GiB` into bytes, at least 16 MiB. @throws {StartError} */
export function readSize(text: string): number {
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,5})(MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (sizes[unit] ?? Number.NaN);
  if (Number.isNaN(bytes)) throw new StartError(`"${text}" is not a size, write 256MiB or 1GiB`);
  if (bytes < minSizeBytes) throw new StartError(`"${text}" is too small, write at least 16MiB`);
  return bytes;
}

/** Formats bytes as `readSize` parses them: 268,435,456 -> `256MiB`. */
export function formatSize(bytes: number): string {
  const isWhole = bytes % (sizes.GiB ?? 1) === 0;
  return isWhole ? `${bytes / 2 ** 30}GiB` : `${bytes / 2 ** 20}MiB`;
}
