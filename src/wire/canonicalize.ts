/**
 * Wire to wire: converts any valid encoding of a message to the canonical form that the JSON writers read.
 *
 * Protobuf lets an encoder write fields in any order, repeat a singular field (the last one wins, messages are merged,
 * which is the same as decoding their concatenation), split lists, and leave packed lists unpacked. No known runtime
 * does. This is the slower path for one that does. Drops fields that the descriptors don't know, and known fields with
 * the wrong wire type, as other decoders do.
 */
import { isUtf8 } from "node:buffer";
import { DELIMITED, type Descriptors, type Field, messageOf, wireTypeOf } from "./descriptor.ts";
import { next, readTag, skip } from "./read.ts";
import { Sink } from "./sink.ts";

interface Context {
  readonly b: Uint8Array;
  readonly sink: Sink;
  readonly descriptors: Descriptors;
}

/** The parts of one message: alternating start and end offsets. */
type Parts = readonly number[];

/** Called for one occurrence of a field with the bytes of its value; for delimited ones, the content. */
type Visit = (start: number, end: number, wireType: number) => void;

/**
 * Converts `wire` to canonical form: each field once and ordered by number, lists in one piece, packed lists packed,
 * map entries with a key (repaired if it is not UTF-8) and a value, no unknown fields.
 *
 * @throws {Malformed} When it is not protobuf.
 */
export function canonicalize(wire: Uint8Array, message: string, descriptors: Descriptors): Buffer {
  // A single value of a packed list grows by a byte, a map entry by four, a repaired key to up to three times its
  // length.
  const sink = new Sink(wire.length * 6 + 64, wire.length + 64);
  writeMessage({ b: wire, sink, descriptors }, message, [0, wire.length]);
  return sink.take();
}

// One pass over the message per field takes less memory than recording every occurrence: there may be millions.
function writeMessage(context: Context, message: string, parts: Parts): void {
  const { fields } = messageOf(context.descriptors, message);
  if (fields.length === 0) visit(context.b, parts, 0, () => {});
  for (const field of fields) {
    if (field.map) writeMap(context, field, parts);
    else if (field.kind === "message") writeMessages(context, field, parts);
    else if (field.repeated) writeList(context, field, parts);
    else writeLast(context, field, parts);
  }
}

function writeMessages(context: Context, field: Field, parts: Parts): void {
  const { sink } = context;
  const write = (merged: Parts): void => {
    sink.varint32((field.number << 3) | DELIMITED);
    const start = sink.open();
    writeMessage(context, field.type, merged);
    sink.close(start);
  };
  const found: number[] = [];
  visit(context.b, parts, field.number, (start, end, wireType) => {
    if (wireType !== DELIMITED) return;
    if (field.repeated) write([start, end]);
    else found.push(start, end);
  });
  if (found.length > 0) write(found);
}

function writeList({ b, sink }: Context, field: Field, parts: Parts): void {
  const expected = wireTypeOf(field);
  let content = -1;
  visit(b, parts, field.number, (start, end, wireType) => {
    if (wireType !== expected && wireType !== DELIMITED) return;
    if (expected === DELIMITED) {
      sink.varint32((field.number << 3) | DELIMITED);
      sink.delimited(b.subarray(start, end));
      return;
    }
    if (content < 0) {
      sink.varint32((field.number << 3) | DELIMITED);
      content = sink.open();
    }
    // Each piece must end with a complete value before the next piece follows.
    for (let p = start; p < end; ) p = skip(b, p, end, expected);
    sink.raw(b.subarray(start, end));
  });
  if (content >= 0) sink.close(content);
}

function writeLast({ b, sink }: Context, field: Field, parts: Parts): void {
  const expected = wireTypeOf(field);
  const last = findLast(b, parts, field.number, expected);
  if (last === undefined) return;
  sink.varint32((field.number << 3) | expected);
  if (expected === DELIMITED) sink.delimited(last);
  else sink.raw(last);
}

function writeMap({ b, sink }: Context, field: Field, parts: Parts): void {
  const empty = b.subarray(0, 0);
  visit(b, parts, field.number, (start, end, wireType) => {
    if (wireType !== DELIMITED) return;
    const key = findLast(b, [start, end], 1, DELIMITED) ?? empty;
    const value = findLast(b, [start, end], 2, DELIMITED) ?? empty;
    sink.varint32((field.number << 3) | DELIMITED);
    const content = sink.open();
    sink.byte((1 << 3) | DELIMITED);
    if (isUtf8(key)) sink.delimited(key);
    else sink.text(Buffer.from(key).toString("utf8"));
    sink.byte((2 << 3) | DELIMITED);
    sink.delimited(value);
    sink.close(content);
  });
}

function findLast(b: Uint8Array, parts: Parts, number: number, expected: number): Uint8Array | undefined {
  let from = -1;
  let to = -1;
  visit(b, parts, number, (start, end, wireType) => {
    if (wireType !== expected) return;
    from = start;
    to = end;
  });
  return from < 0 ? undefined : b.subarray(from, to);
}

function visit(b: Uint8Array, parts: Parts, number: number, found: Visit): void {
  for (let i = 0; i < parts.length; i += 2) {
    const e = parts[i + 1] as number;
    for (let p = parts[i] as number; p < e; ) {
      const tag = readTag(b, p, e);
      const value = next;
      p = skip(b, value, e, tag);
      if (tag >>> 3 !== number) continue;
      const wireType = tag & 7;
      found(wireType === DELIMITED ? next : value, p, wireType);
    }
  }
}
