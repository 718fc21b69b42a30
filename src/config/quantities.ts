/** Durations, counts and sizes. */
import { StartError } from "../errors.ts";

const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Timers hold no more than 2^31 - 1 ms. */
const longestMs = 24 * 3_600_000;

/** `250ms`, `30s`, `5m`, `4h` -> milliseconds; `0` switches a limit off. @throws {StartError} */
export function readDuration(text: string): number {
  if (text === "0") return 0;
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,8})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(amount) * (units[unit] ?? Number.NaN);
  if (Number.isNaN(ms) || amount === "")
    throw new StartError(`"${text}" is no duration, write 30s, 5m or 4h`);
  if (ms > longestMs) throw new StartError(`"${text}" is over 24h, write 0 for no limit`);
  return ms;
}

/** A whole number from 1. @throws {StartError} */
export function readCount(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text))
    throw new StartError(`"${text}" is no count, write a number such as 1000`);
  return Number(text);
}

const sizes: { readonly [unit: string]: number } = { MiB: 2 ** 20, GiB: 2 ** 30 };

/** With less, a command or a long list would never find room. */
const leastBytes = 16 * 2 ** 20;

/** `256MiB`, `1GiB` -> bytes, from 16 MiB. @throws {StartError} */
export function readSize(text: string): number {
  const [, amount = "", unit = ""] = /^([1-9][0-9]{0,5})(MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (sizes[unit] ?? Number.NaN);
  if (Number.isNaN(bytes)) throw new StartError(`"${text}" is no size, write 256MiB or 1GiB`);
  if (bytes < leastBytes) throw new StartError(`"${text}" is too little, write at least 16MiB`);
  return bytes;
}
