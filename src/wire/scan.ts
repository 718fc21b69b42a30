/**
 * Reads a list on the wire without decoding it: the positions of its items, and single fields of them.
 *
 * Sorting, paging and filtering need two or three fields of an item. The rest goes from wire to JSON in the resulting
 * order (write-list.ts).
 */
import { DELIMITED, type Descriptors, messageOf, VARINT } from "./descriptor.ts";
import { high, next, readTag, readVarint, skip } from "./read.ts";

/** The items of one repeated message field. */
export interface Items {
  readonly wire: Uint8Array;
  readonly length: number;
  /** Alternating start and end offsets of the items. */
  readonly ranges: Int32Array;
}

/** Field numbers from an item down to one of its fields. */
export type FieldPath = readonly number[];

/**
 * Finds the items of a repeated message field.
 *
 * @throws {Malformed} When the wire is not protobuf. (The contents of the items are not checked.)
 */
export function scanItems(wire: Uint8Array, number: number): Items {
  const wanted = (number << 3) | DELIMITED;
  let ranges = new Int32Array(64);
  let length = 0;
  for (let p = 0; p < wire.length; ) {
    const tag = readTag(wire, p, wire.length);
    p = skip(wire, next, wire.length, tag);
    if (tag !== wanted) continue;
    if (length === ranges.length) {
      const more = new Int32Array(length * 2);
      more.set(ranges);
      ranges = more;
    }
    ranges[length] = next;
    ranges[length + 1] = p;
    length += 2;
  }
  return { wire, length: length / 2, ranges: ranges.subarray(0, length) };
}

/** Writes a message that has only some of the items, which are in the field `number`. */
export function keepItems(
  { wire, length, ranges }: Items,
  number: number,
  keeps: (index: number) => boolean,
): Buffer {
  const parts: Uint8Array[] = [];
  for (let index = 0; index < length; index++) {
    if (!keeps(index)) continue;
    const item = wire.subarray(ranges[index * 2], ranges[index * 2 + 1]);
    parts.push(varint((number << 3) | DELIMITED), varint(item.length), item);
  }
  return Buffer.concat(parts);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.of(...bytes, rest);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** The field numbers of a dotted path of JSON names, such as `metadata.name`. @throws {TypeError} For a wrong path. */
export function fieldPath(descriptors: Descriptors, message: string, path: string): FieldPath {
  let type = message;
  return path.split(".").map((name) => {
    const field = messageOf(descriptors, type).fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new TypeError(`Cannot find field in ${type}: "${name}"`);
    type = field.type;
    return field.number;
  });
}

/** A string field of an item; empty when it is absent. */
export function stringAt(items: Items, index: number, path: FieldPath): string {
  return findLast(items, index, path, DELIMITED) ? textOf(items.wire, foundStart, foundEnd) : "";
}

/** The strings of a repeated field of an item. */
export function stringsAt(items: Items, index: number, path: FieldPath): readonly string[] {
  const texts: string[] = [];
  visitIn(items, index, path, (start, end, wireType) => {
    if (wireType === DELIMITED) texts.push(textOf(items.wire, start, end));
  });
  return texts;
}

/** An int64 field of an item; 0 when it is absent. */
export function int64At(items: Items, index: number, path: FieldPath): bigint {
  if (!findLast(items, index, path, VARINT)) return 0n;
  // Combining the halves here takes one bigint; shifting them would take five.
  halves.setInt32(4, readVarint(items.wire, foundStart, foundEnd));
  halves.setInt32(0, high);
  return halves.getBigInt64(0);
}

const halves = new DataView(new ArrayBuffer(8));

/** An int32, uint32 (as its 32 bits), bool or enum field of an item, as a number; 0 when it is absent. */
export function int32At(items: Items, index: number, path: FieldPath): number {
  return findLast(items, index, path, VARINT) ? readVarint(items.wire, foundStart, foundEnd) : 0;
}

/** A map from strings to strings of an item; empty when it is absent. */
export function mapAt(items: Items, index: number, path: FieldPath): Map<string, string> {
  const { wire } = items;
  const map = new Map<string, string>();
  visitIn(items, index, path, (start, end, wireType) => {
    if (wireType !== DELIMITED) return;
    let key = "";
    let value = "";
    visit(wire, start, end, (number, from, to, type) => {
      if (type === DELIMITED && number === 1) key = textOf(wire, from, to);
      if (type === DELIMITED && number === 2) value = textOf(wire, from, to);
    });
    map.set(key, value);
  });
  return map;
}

function textOf(wire: Uint8Array, start: number, end: number): string {
  const bytes = Buffer.isBuffer(wire) ? wire : Buffer.from(wire.buffer, wire.byteOffset, wire.length);
  return bytes.toString("utf8", start, end);
}

// The value found by the last `findLast`: an object per look-up would be garbage.
let foundStart = 0;
let foundEnd = 0;

/** Finds the last occurrence of a field, which is the one that counts. */
function findLast(items: Items, index: number, path: FieldPath, wireType: number): boolean {
  let found = false;
  visitIn(items, index, path, (start, end, type) => {
    if (type !== wireType) return;
    found = true;
    foundStart = start;
    foundEnd = end;
  });
  return found;
}

type Visit = (start: number, end: number, wireType: number) => void;

function visitIn({ wire, ranges }: Items, index: number, path: FieldPath, found: Visit): void {
  const start = ranges[index * 2];
  const end = ranges[index * 2 + 1];
  if (start === undefined || end === undefined)
    throw new TypeError(`Cannot find item: ${index} of ${ranges.length / 2}`);
  visitPath(wire, start, end, path, 0, found);
}

// A message along the path may come in several parts; visiting all of them merges them.
function visitPath(
  wire: Uint8Array,
  start: number,
  end: number,
  path: FieldPath,
  depth: number,
  found: Visit,
): void {
  // Does not use `visit`, which would call its callback for every field of every item.
  for (let p = start; p < end; ) {
    const tag = readTag(wire, p, end);
    const value = next;
    p = skip(wire, value, end, tag);
    if (tag >>> 3 !== path[depth]) continue;
    const wireType = tag & 7;
    const from = wireType === DELIMITED ? next : value;
    if (depth + 1 === path.length) found(from, p, wireType);
    else if (wireType === DELIMITED) visitPath(wire, from, p, path, depth + 1, found);
  }
}

/** Visits the fields of one message; for delimited ones the range is the content. */
function visit(
  wire: Uint8Array,
  start: number,
  end: number,
  field: (number: number, from: number, to: number, wireType: number) => void,
): void {
  for (let p = start; p < end; ) {
    const tag = readTag(wire, p, end);
    const value = next;
    p = skip(wire, value, end, tag);
    const wireType = tag & 7;
    field(tag >>> 3, wireType === DELIMITED ? next : value, p, wireType);
  }
}
