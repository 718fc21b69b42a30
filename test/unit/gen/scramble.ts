/** Valid protobuf that no sane encoder would write: what the canonicaliser is for. */

import type { Dice } from "./dice.ts";
import type { DescField, DescMessage } from "./reference.ts";

/** One field on the wire: its tag, and what follows. */
interface Entry {
  readonly tag: number;
  /** The value; of a delimited field without its length. */
  readonly value: Buffer;
}

/** Varint with up to two needless bytes. */
export function varint(value: number, needless = 0): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  for (let i = 0; i < needless; i++) {
    bytes.push((bytes.pop() ?? 0) | 128, 0);
  }
  return Buffer.from(bytes);
}

/** Splits a message that is well-formed and has no groups. */
export function entriesOf(wire: Uint8Array): Entry[] {
  const entries: Entry[] = [];
  let p = 0;
  const read = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = wire[p++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (p < wire.length) {
    const tag = read();
    const start = p;
    if ((tag & 7) === 0) read();
    else if ((tag & 7) === 1) p += 8;
    else if ((tag & 7) === 5) p += 4;
    else {
      const length = read();
      entries.push({ tag, value: Buffer.from(wire.subarray(p, p + length)) });
      p += length;
      continue;
    }
    entries.push({ tag, value: Buffer.from(wire.subarray(start, p)) });
  }
  return entries;
}

function join(entries: readonly Entry[], dice: Dice): Buffer {
  const needless = (): number => (dice.oneIn(8) ? 1 + dice.roll(2) : 0);
  return Buffer.concat(
    entries.flatMap(({ tag, value }) =>
      (tag & 7) === 2
        ? [varint(tag, needless()), varint(value.length, needless()), value]
        : [varint(tag, needless()), value],
    ),
  );
}

/** Changes the order, repeats and splits fields, unpacks lists, adds unknown fields; at all depths. */
export function scramble(message: DescMessage, wire: Uint8Array, dice: Dice): Buffer {
  const entries = entriesOf(wire).flatMap((entry) => {
    const field = message.fields.find(({ number }) => number === entry.tag >>> 3);
    return field === undefined ? [entry] : scrambleField(field, entry, dice);
  });
  const doubled = entries.flatMap((entry) => (dice.oneIn(10) ? [entry, entry] : [entry]));
  const unknown = dice.oneIn(3) ? [unknownEntry(message, dice)] : [];
  const all = [...doubled, ...unknown];
  return join(dice.oneIn(2) ? dice.shuffle(all) : all, dice);
}

function scrambleField(field: DescField, entry: Entry, dice: Dice): Entry[] {
  if (field.fieldKind === "map") return [{ ...entry, value: scrambleEntry(entry.value, dice) }];
  if (field.message !== undefined) {
    const { message } = field;
    const parts = entriesOf(entry.value);
    const cut = field.fieldKind === "list" || dice.oneIn(2) ? 0 : dice.roll(parts.length);
    const halves = cut === 0 ? [parts] : [parts.slice(0, cut), parts.slice(cut)];
    return halves.map((half) => ({ ...entry, value: scramble(message, join(half, dice), dice) }));
  }
  if (field.fieldKind === "list" && field.packed && dice.oneIn(2)) {
    // Every value by itself, or two lists instead of one.
    const values = splitVarints(entry.value);
    if (dice.oneIn(2)) return values.map((value) => ({ tag: field.number << 3, value }));
    const cut = dice.roll(values.length + 1);
    return [values.slice(0, cut), values.slice(cut)].map((part) => ({
      ...entry,
      value: Buffer.concat(part),
    }));
  }
  return [entry];
}

function splitVarints(packed: Buffer): Buffer[] {
  const values: Buffer[] = [];
  let start = 0;
  packed.forEach((byte, i) => {
    if (byte >= 128) return;
    values.push(packed.subarray(start, i + 1));
    start = i + 1;
  });
  return values;
}

function scrambleEntry(wire: Buffer, dice: Dice): Buffer {
  const parts = entriesOf(wire);
  const kept = dice.oneIn(4) ? parts.filter(() => !dice.oneIn(2)) : parts;
  const doubled = dice.oneIn(4) ? [...kept, ...kept] : kept;
  const unknown = dice.oneIn(4) ? [{ tag: (7 << 3) | 2, value: Buffer.from("x") }] : [];
  return join(dice.shuffle([...doubled, ...unknown]), dice);
}

function unknownEntry(message: DescMessage, dice: Dice): Entry {
  const numbers = new Set(message.fields.map(({ number }) => number));
  let number = 1 + dice.roll(30);
  while (numbers.has(number)) number++;
  const values: readonly Entry[] = [
    { tag: number << 3, value: varint(dice.roll(1000)) },
    { tag: (number << 3) | 1, value: Buffer.alloc(8, 7) },
    { tag: (number << 3) | 2, value: Buffer.from("unknown") },
    { tag: (number << 3) | 5, value: Buffer.alloc(4, 9) },
    // A group with a field and a group in it.
    { tag: (number << 3) | 3, value: Buffer.from([8, 1, 0x13, 0x14, ...varint((number << 3) | 4)]) },
  ];
  return dice.pick(values);
}
