/**
 * Maps from strings to strings, in a stable order.
 *
 * Runtimes send a map in the current order of their hash table. Sorted by the bytes of its keys, the same map always
 * gives the same JSON. Of equal keys the last one wins, as everywhere in protobuf.
 */
import { isTag, notCanonical, source, tagLength } from "./json-fields.ts";
import { replaced, writeText } from "./json-text.ts";
import { moveTo, next, readLength } from "./read.ts";

const KEY_TAG = 10;
const VALUE_TAG = 18;
const QUOTE = 0x22;

/** Up to this many entries use insertion sort, which is fast for few entries but quadratic. */
const FEW = 24;
/** Entries whose memory is kept for the next map. */
const KEPT = 4096;

// Per entry: start and end of its key, start and end of its value.
let entries = new Int32Array(4 * 64);
let order = new Int32Array(64);

/**
 * Writes the entries of a map whose records are adjacent, with commas, without braces.
 *
 * @param p Position of the first record's tag.
 * @param tag The tag of all records.
 */
export function map(tag: number, b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  const step = tagLength(tag);
  let count = 0;
  do {
    readEntry(b, p + step, e, count++);
    p = next;
  } while (isTag(b, p, e, tag));
  sort(count);
  const start = w;
  for (let i = 0; i < count; i++) {
    const entry = (order[i] as number) * 4;
    if (i + 1 < count && compareKeys(entry, (order[i + 1] as number) * 4) === 0) continue;
    w = writeEntry(b, entry, d, w);
  }
  if (order.length > KEPT) forget();
  moveTo(p);
  return w > start ? w - 1 : w;
}

function writeEntry(b: Uint8Array, entry: number, d: DataView, w: number): number {
  const before = replaced;
  d.setUint8(w, QUOTE);
  w = writeText(b, source, entries[entry] as number, entries[entry + 1] as number, d, w + 1);
  // Broken keys must be repaired before they are sorted and compared.
  if (replaced !== before) throw notCanonical;
  d.setUint8(w, QUOTE);
  d.setUint16(w + 1, 0x3a22);
  w = writeText(b, source, entries[entry + 2] as number, entries[entry + 3] as number, d, w + 3);
  d.setUint16(w, 0x222c);
  return w + 2;
}

/** Reads one entry into its slot: a key, then a value, either of which may be absent. */
function readEntry(b: Uint8Array, p: number, e: number, index: number): void {
  if (index === order.length) grow();
  const slot = index * 4;
  const end = readLength(b, p, e);
  p = next;
  let keyEnd = p;
  entries[slot] = p;
  if (p < end && b[p] === KEY_TAG) {
    keyEnd = readLength(b, p + 1, end);
    entries[slot] = next;
    p = keyEnd;
  }
  entries[slot + 1] = keyEnd;
  let valueEnd = p;
  entries[slot + 2] = p;
  if (p < end && b[p] === VALUE_TAG) {
    valueEnd = readLength(b, p + 1, end);
    entries[slot + 2] = next;
    p = valueEnd;
  }
  entries[slot + 3] = valueEnd;
  if (p !== end) throw notCanonical;
  moveTo(end);
}

/** Writes the indexes of the entries to `order`, sorted by key; equal keys keep the order of the wire. */
function sort(count: number): void {
  if (count > FEW) {
    const all = order.subarray(0, count);
    for (let i = 0; i < count; i++) all[i] = i;
    all.sort((x, y) => compareKeys(x * 4, y * 4) || x - y);
    return;
  }
  for (let i = 0; i < count; i++) {
    let j = i;
    for (; j > 0 && compareKeys((order[j - 1] as number) * 4, i * 4) > 0; j--)
      order[j] = order[j - 1] as number;
    order[j] = i;
  }
}

/** Compares the keys of two entries bytewise, four bytes at a time. */
function compareKeys(x: number, y: number): number {
  let p = entries[x] as number;
  let q = entries[y] as number;
  const pEnd = entries[x + 1] as number;
  const qEnd = entries[y + 1] as number;
  for (; p + 4 <= pEnd && q + 4 <= qEnd; p += 4, q += 4) {
    const difference = source.getUint32(p) - source.getUint32(q);
    if (difference !== 0) return difference;
  }
  for (; p < pEnd && q < qEnd; p++, q++) {
    const difference = source.getUint8(p) - source.getUint8(q);
    if (difference !== 0) return difference;
  }
  return pEnd - p - (qEnd - q);
}

function grow(): void {
  const more = new Int32Array(entries.length * 2);
  more.set(entries);
  entries = more;
  order = new Int32Array(order.length * 2);
}

function forget(): void {
  entries = new Int32Array(4 * 64);
  order = new Int32Array(64);
}
