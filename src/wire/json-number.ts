/** Writes numbers as JSON digit by digit: one string per number would create thousands of garbage strings. */
import { writeAscii } from "./json-text.ts";

const ZERO = 0x30;
const MINUS = 0x2d;
const BILLION = 1e9;

/** Writes a signed 32-bit integer. */
export function writeInt32(n: number, d: DataView, w: number): number {
  if (n >= 0) return writeSmall(n, d, w);
  d.setUint8(w, MINUS);
  return writeUint64(-n | 0, 0, d, w + 1);
}

/** Writes an unsigned 32-bit integer, given as a signed one with the same bits. */
export function writeUint32(n: number, d: DataView, w: number): number {
  return n >= 0 ? writeSmall(n, d, w) : writeUint64(n, 0, d, w);
}

/** Writes a signed 64-bit integer, given as two signed halves. */
export function writeInt64(low: number, high: number, d: DataView, w: number): number {
  if (high >= 0) return writeUint64(low, high, d, w);
  d.setUint8(w, MINUS);
  const negated = (~low + 1) | 0;
  return writeUint64(negated, negated === 0 ? ~high + 1 : ~high, d, w + 1);
}

/** Writes an unsigned 64-bit integer, given as two signed halves. */
export function writeUint64(low: number, high: number, d: DataView, w: number): number {
  if (high === 0 && low >= 0) return writeSmall(low, d, w);
  // Long division by 10^9 in 16-bit digits, so that every step stays in the exact range of doubles.
  const upper = high >>> 0;
  let rest = upper % BILLION;
  let t = rest * 65536 + (low >>> 16);
  const q1 = Math.floor(t / BILLION);
  rest = t - q1 * BILLION;
  t = rest * 65536 + (low & 65535);
  const q0 = Math.floor(t / BILLION);
  const lowNine = t - q0 * BILLION;
  const quotient = Math.floor(upper / BILLION) * 4294967296 + q1 * 65536 + q0;
  if (quotient < BILLION) w = writeSmall(quotient, d, w);
  else {
    const top = Math.floor(quotient / BILLION);
    w = writeNine(quotient - top * BILLION, d, writeSmall(top, d, w));
  }
  return writeNine(lowNine, d, w);
}

/** Writes a double like JSON.stringify, but NaN and infinities as proto3's strings. */
export function writeDouble(n: number, d: DataView, w: number): number {
  return writeAscii(Number.isFinite(n) ? JSON.stringify(n) : `"${n}"`, d, w);
}

/** Writes 0 <= n < 2^31. */
function writeSmall(n: number, d: DataView, w: number): number {
  if (n < 10) {
    d.setUint8(w, ZERO + n);
    return w + 1;
  }
  let end = w + 2;
  for (let power = 100; n >= power; power *= 10) end++;
  let rest = n | 0;
  for (let i = end - 1; i >= w; i--) {
    const t = (rest / 10) | 0;
    d.setUint8(i, ZERO + rest - t * 10);
    rest = t;
  }
  return end;
}

/** Writes 0 <= n < 10^9 with leading zeros. */
function writeNine(n: number, d: DataView, w: number): number {
  let rest = n | 0;
  for (let i = w + 8; i >= w; i--) {
    const t = (rest / 10) | 0;
    d.setUint8(i, ZERO + rest - t * 10);
    rest = t;
  }
  return w + 9;
}
