/**
 * The functions that generated writers call. Each writes one field's value from the wire as JSON.
 *
 * `b` is the wire, `p` is where the value starts, `e` is where its message ends, `d` is the output, `w` is where to
 * write. Returns the position after the output; `next` (see read.ts) holds the position where reading continues. A
 * writer runs from start to end without a pause, so module state is safe, and a call costs only five plain arguments.
 *
 * The writers know only one order of fields: by number, each once, lists in one piece, as every known encoder writes
 * them. Anything else that protobuf allows throws {@link notCanonical}, and the message is converted to that form first
 * (canonicalize.ts).
 */
import type { EnumDescriptor } from "./descriptor.ts";
import { writeDouble, writeInt32, writeInt64, writeUint32, writeUint64 } from "./json-number.ts";
import { type Literal, literal, put, writeBase64, writeText } from "./json-text.ts";
import { high, Malformed, moveTo, next, readLength, readTag, readVarint, skip } from "./read.ts";

export { next, readLength } from "./read.ts";

/** Writes one value, or for a generated writer one whole message. */
export type WriteValue = (b: Uint8Array, p: number, e: number, d: DataView, w: number) => number;

/** Thrown when the wire is valid, but not in the one order that the writers know. */
export const notCanonical = new Error("not canonical");

const nothing = new DataView(new ArrayBuffer(0));

/** The wire as a DataView, for reading four bytes at a time. Set by {@link readFrom}. */
export let source: DataView = nothing;

/** Makes the writers read from `b`. */
export function readFrom(b: Uint8Array): void {
  source = new DataView(b.buffer, b.byteOffset, b.byteLength);
}

/** Releases the wire so that it can be collected. */
export function readNothing(): void {
  source = nothing;
}

/** Writes a string without its quotes. */
export function string(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  const end = readLength(b, p, e);
  w = writeText(b, source, next, end, d, w);
  moveTo(end);
  return w;
}

/** Writes bytes as base64 without quotes. */
export function bytes(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  const end = readLength(b, p, e);
  w = writeBase64(b, next, end, d, w);
  moveTo(end);
  return w;
}

const TRUE = literal("true");
const FALSE = literal("false");

export function bool(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  return put((readVarint(b, p, e) | high) === 0 ? FALSE : TRUE, d, w);
}

export function int32(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  return writeInt32(readVarint(b, p, e), d, w);
}

export function uint32(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  return writeUint32(readVarint(b, p, e), d, w);
}

/** Writes the digits without quotes. */
export function int64(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  const low = readVarint(b, p, e);
  return writeInt64(low, high, d, w);
}

/** Writes the digits without quotes. */
export function uint64(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  const low = readVarint(b, p, e);
  return writeUint64(low, high, d, w);
}

export function double(_b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  if (p + 8 > e) throw new Malformed("a number is cut off");
  moveTo(p + 8);
  return writeDouble(source.getFloat64(p, true), d, w);
}

/** The JSON names of an enum, by number. */
export type EnumTexts = ReadonlyMap<number, Literal>;

/** Prepares an enum for {@link enumeration}. */
export function enumTexts(descriptor: EnumDescriptor): EnumTexts {
  return new Map(Object.entries(descriptor).map(([name, number]) => [number, literal(`"${name}"`)]));
}

/** Writes an enum's name, or its number if it has no name. */
export function enumeration(
  texts: EnumTexts,
  b: Uint8Array,
  p: number,
  e: number,
  d: DataView,
  w: number,
): number {
  const number = readVarint(b, p, e);
  const text = texts.get(number);
  return text === undefined ? writeInt32(number, d, w) : put(text, d, w);
}

/** Skips fields that a newer peer may have added after the last known one. Anything else is not canonical. */
export function tail(b: Uint8Array, p: number, e: number, last: number): void {
  while (p < e) {
    const tag = readTag(b, p, e);
    if (tag >>> 3 <= last) throw notCanonical;
    p = skip(b, next, e, tag);
  }
}

/** Whether the bytes at `p` are this tag in its shortest form. */
export function isTag(b: Uint8Array, p: number, e: number, tag: number): boolean {
  let rest = tag;
  for (; rest > 127; rest >>>= 7) if (p >= e || b[p++] !== ((rest & 127) | 128)) return false;
  return p < e && b[p] === rest;
}

/** Number of bytes of a tag in its shortest form. */
export function tagLength(tag: number): number {
  let length = 1;
  for (let rest = tag; rest > 127; rest >>>= 7) length++;
  return length;
}
