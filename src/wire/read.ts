/**
 * Reads protobuf's wire format with bounds checks.
 *
 * Every function reads at `p` and never beyond `e`, whatever the bytes are. The result is the value; `next` holds the
 * position where reading continues (and `high` the upper half of a 64-bit value), because an object per value would
 * cost more than the reading itself.
 */
import { DELIMITED, END_GROUP, FIXED32, FIXED64, START_GROUP, VARINT } from "./descriptor.ts";

/** Protobuf deprecated groups long ago, but an unknown field may still be one, and may nest others. */
const MAX_GROUP_DEPTH = 64;

/** The bytes are not protobuf, or not this message. */
export class Malformed extends Error {
  override readonly name = "Malformed";

  constructor(detail: string) {
    super(`Malformed protobuf: ${detail}`);
  }
}

/** Position after what was read last (for {@link readLength}: the first byte of the content). */
export let next = 0;

/** Upper 32 bits, signed, of what {@link readVarint} read last. */
export let high = 0;

/** For functions that read by other means: sets {@link next} to `p`. */
export function moveTo(p: number): void {
  next = p;
}

/** Reads a varint and returns its lower 32 bits, signed; the upper ones are in {@link high}. */
export function readVarint(b: Uint8Array, p: number, e: number): number {
  let low = 0;
  let upper = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (p >= e) throw new Malformed("a number is cut off");
    const c = b[p++] as number;
    if (shift < 28) low |= (c & 127) << shift;
    else if (shift === 28) {
      low |= (c & 127) << 28;
      upper = (c & 127) >>> 4;
    } else upper |= (c & 127) << (shift - 32);
    if (c < 128) {
      next = p;
      high = upper;
      return low;
    }
  }
  throw new Malformed("a number has more than ten bytes");
}

/** Reads a length and returns the position where the content ends; {@link next} is where it starts. */
export function readLength(b: Uint8Array, p: number, e: number): number {
  let length = p < e ? (b[p] as number) : 128;
  if (length < 128) next = p + 1;
  else {
    length = readVarint(b, p, e);
    if (high !== 0 || length < 0) throw new Malformed("a length points outside its message");
  }
  const end = next + length;
  if (end > e) throw new Malformed("a length points outside its message");
  return end;
}

/** Reads a tag: field number and wire type as `number << 3 | wireType`. */
export function readTag(b: Uint8Array, p: number, e: number): number {
  // A single byte, as for all fields up to number 15.
  const first = p < e ? (b[p] as number) : 0;
  if (first > 7 && first < 128) {
    next = p + 1;
    return first;
  }
  const tag = readVarint(b, p, e);
  if (high !== 0 || tag >>> 3 === 0) throw new Malformed("a field has an impossible number");
  return tag >>> 0;
}

/**
 * Returns the position after the value of a field whose tag was just read. For a delimited field, {@link next} is where
 * its content starts.
 */
export function skip(b: Uint8Array, p: number, e: number, tag: number): number {
  let after = p;
  switch (tag & 7) {
    case VARINT:
      readVarint(b, p, e);
      return next;
    case FIXED64:
      after = p + 8;
      break;
    case DELIMITED:
      return readLength(b, p, e);
    case START_GROUP:
      return skipGroup(b, p, e, tag >>> 3);
    case FIXED32:
      after = p + 4;
      break;
    default:
      throw new Malformed("a field has an impossible type");
  }
  if (after > e) throw new Malformed("a number is cut off");
  return after;
}

function skipGroup(b: Uint8Array, p: number, e: number, number: number): number {
  const open = [number];
  while (open.length > 0) {
    const tag = readTag(b, p, e);
    p = next;
    if ((tag & 7) === START_GROUP) {
      if (open.length === MAX_GROUP_DEPTH) throw new Malformed("groups are nested too deeply");
      open.push(tag >>> 3);
    } else if ((tag & 7) === END_GROUP) {
      if (open.pop() !== tag >>> 3) throw new Malformed("a group ends where another one began");
    } else p = skip(b, p, e, tag);
  }
  return p;
}
