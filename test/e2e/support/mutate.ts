/** Bodies that are nearly right: what is missing, empty or null in them, one place at a time or at random. */
import { fieldsOf } from "../../../src/cri/codec.ts";
import type { Field } from "../../../src/wire/descriptor.ts";
import type { Dice } from "../../unit/gen/dice.ts";

export type Json = { [key: string]: unknown };

/** A body, and what was done to it. */
export interface Variant {
  readonly what: string;
  readonly body: Json;
}

/** Deeper than this no runtime dereferences anything. */
const maxDepth = 4;

/** Keys from a message down to each field in it that is a message, lists of them included. */
export function messagePaths(message: string, depth = maxDepth): readonly (readonly string[])[] {
  return fieldsOf(message).flatMap((field) => {
    if (field.kind !== "message" || field.map) return [];
    // No runtime on Linux looks into what is for Windows.
    const isLeaf = field.repeated || depth === 1 || field.name === "windows";
    const below = isLeaf ? [] : messagePaths(field.type, depth - 1);
    return [[field.name], ...below.map((path) => [field.name, ...path])];
  });
}

/** `base` with each message in it left out, null and empty, in turn; lists also with one such item. */
export function variantsOf(message: string, base: Json): readonly Variant[] {
  return messagePaths(message).flatMap((path) => {
    const { repeated } = fieldAt(message, path);
    const values: readonly unknown[] = repeated ? [null, [], [null], [{}]] : [undefined, null, {}];
    return values.map((value) => ({
      what: `${path.join(".")} = ${JSON.stringify(value) ?? "left out"}`,
      body: withValue(base, path, value),
    }));
  });
}

function fieldAt(message: string, [key = "", ...rest]: readonly string[]): Field {
  const field = fieldsOf(message).find(({ name }) => name === key);
  if (field === undefined) throw new Error(`Cannot find the field: ${message} has no ${key}`);
  return rest.length === 0 ? field : fieldAt(field.type, rest);
}

/** A copy with another value at a path; folders of it are made, `undefined` leaves it out. */
function withValue(base: Json, [key = "", ...rest]: readonly string[], value: unknown): Json {
  if (rest.length > 0) return { ...base, [key]: withValue((base[key] ?? {}) as Json, rest, value) };
  const { [key]: _gone, ...others } = base;
  return value === undefined ? others : { ...base, [key]: value };
}

/** What stands in a wrong place, or in a right one by chance. No text that could name a path of the machine. */
const oddValues: readonly unknown[] = [
  null,
  {},
  [],
  "",
  0,
  -1,
  1.5,
  true,
  [null],
  [{}],
  [[]],
  2 ** 53,
  "9".repeat(30),
];

/** A copy with one or two members changed, dropped or added, anywhere. */
export function scramble(base: Json, dice: Dice): Variant {
  const body = structuredClone(base);
  const changes = Array.from({ length: 1 + dice.roll(2) }, () => changeOne(body, dice));
  return { what: changes.join("; "), body };
}

function changeOne(body: Json, dice: Dice): string {
  const places = placesIn(body);
  if (places.length === 0) return "nothing left to change";
  const { holder, key, path } = dice.pick(places);
  if (dice.oneIn(4)) {
    delete holder[key];
    return `${path} left out`;
  }
  const value = dice.oneIn(2) ? null : dice.pick(oddValues);
  if (dice.oneIn(8)) {
    holder[`${key}X`] = value;
    return `${path}X added`;
  }
  holder[key] = structuredClone(value);
  return `${path} = ${JSON.stringify(value)}`;
}

interface Place {
  readonly holder: Json;
  readonly key: string;
  readonly path: string;
}

function placesIn(value: unknown, path = ""): readonly Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Json;
  return Object.keys(holder).flatMap((key) => {
    const here = `${path}/${key}`;
    return [{ holder, key, path: here }, ...placesIn(holder[key], here)];
  });
}
