import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { InvalidValue } from "../../../src/wire/invalid-value.ts";
import { InvalidJson, parseJson } from "../../../src/wire/parse-json.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { createDice, type Dice, seed } from "./dice.ts";
import { jsonOf } from "./random.ts";
import { type JsonValue, proto, schemaOf } from "./reference.ts";

const INPUTS = randomRuns(100_000);
const encode = createEncoder(descriptors);

const larger = proto.messages.filter(({ fields }) => fields.length > 2);
const samples = [...proto.messages, ...larger, ...larger].flatMap((message) =>
  fc.sample(jsonOf(message), { seed, numRuns: 6 }).map((json) => ({ name: message.name, json })),
);

/** Checks that a value is encoded to what protobuf-es can read, or refused in an orderly way. */
function check(name: string, value: unknown, where: string): "encoded" | "refused" {
  try {
    const bytes = encode(name, value);
    assert.doesNotThrow(() => fromBinary(schemaOf(name), bytes), where);
    return "encoded";
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw new Error(where, { cause: error });
    for (const { pointer, detail } of error.mistakes) {
      assert.match(pointer, /^(\/([^~/]|~[01])*)*$/s, where);
      assert.ok(detail.length > 0 && detail.length < 2000, where);
    }
    assert.ok(error.mistakes.length <= 10, where);
    return "refused";
  }
}

const oddities: readonly unknown[] = [
  null,
  undefined,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  0.5,
  2 ** 53,
  -(2 ** 31) - 1,
  1e300,
  "",
  "\ud800",
  "9223372036854775808",
  "-1",
  "01",
  "1e3",
  " 1",
  "AAA",
  "A===",
  "+/-_",
  true,
  [],
  [[]],
  [null],
  {},
  { __proto__: null },
  JSON.parse('{"__proto__": {"id": "x"}, "constructor": 1, "": [], "a/b~c": null}'),
  Symbol("x"),
  10n,
  () => {},
  new Date(0),
  new Map([["id", "x"]]),
];

/** Puts something odd in one place of a value. */
function disturb(value: unknown, dice: Dice): unknown {
  if (dice.oneIn(4)) return dice.pick(oddities);
  if (Array.isArray(value)) {
    if (value.length === 0 || dice.oneIn(3)) return [...value, dice.pick(oddities)];
    const at = dice.roll(value.length);
    return value.map((item, i) => (i === at ? disturb(item, dice) : item));
  }
  if (typeof value !== "object" || value === null) return dice.pick(oddities);
  const keys = Object.keys(value);
  const copy: { [key: string]: unknown } = Object.create(null);
  for (const key of keys) copy[key] = (value as { [key: string]: unknown })[key];
  if (keys.length === 0 || dice.oneIn(4)) {
    const odd = [
      "__proto__",
      "constructor",
      "toString",
      "hasOwnProperty",
      "",
      "Id",
      "\udfff",
      "x".repeat(5000),
    ];
    copy[dice.pick([...odd, ...keys.map((key) => key.toUpperCase())])] = dice.pick(oddities);
    return copy;
  }
  const key = dice.pick(keys);
  copy[key] = disturb(copy[key], dice);
  return copy;
}

test(`${INPUTS / 2} disturbed values are encoded or refused with a pointer (seed ${seed})`, () => {
  const dice = createDice(seed);
  const counts = { encoded: 0, refused: 0 };
  for (let i = 0; i < INPUTS / 2; i++) {
    const { name, json } = dice.pick(samples);
    counts[check(name, disturb(json, dice), `value ${i}, seed ${seed}, ${name}`)]++;
  }
  assert.ok(counts.encoded > INPUTS / 50 && counts.refused > INPUTS / 50, JSON.stringify(counts));
});

const pieces = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "\\u12",
  "\\ud800",
  "1e400",
  "-",
  "0",
  "1.5",
  "null",
  "tru",
  "\ufeff",
];

function mutate(json: JsonValue, dice: Dice): Buffer {
  let bytes = Buffer.from(JSON.stringify(json));
  for (let i = dice.roll(3); i >= 0; i--) {
    const at = dice.roll(bytes.length + 1);
    const [head, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
    const byte = dice.oneIn(2) ? dice.roll(256) : 0x30 + dice.roll(10);
    const noise = dice.oneIn(3) ? Buffer.from(dice.pick(pieces)) : Buffer.from([byte]);
    bytes = Buffer.concat(dice.oneIn(6) ? [head] : [head, noise, rest.subarray(dice.roll(3))]);
  }
  return bytes;
}

test(`${INPUTS / 2} mutated texts are parsed as JSON.parse does, or refused with a place (seed ${seed})`, () => {
  const dice = createDice(seed);
  const counts = { encoded: 0, refused: 0, invalid: 0 };
  for (let i = 0; i < INPUTS / 2; i++) {
    const { name, json } = dice.pick(samples);
    const text = mutate(json, dice);
    const where = `text ${i}, seed ${seed}, ${name}: ${text.toString("hex")}`;
    let value: unknown;
    try {
      value = parseJson(text);
    } catch (error) {
      if (!(error instanceof InvalidJson)) throw new Error(where, { cause: error });
      assert.ok(error.line >= 1 && error.column >= 1, where);
      counts.invalid++;
      continue;
    }
    // What we take, JSON.parse takes too, and reads the same.
    assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(text.toString("utf8"))), where);
    counts[check(name, value, where)]++;
  }
  assert.ok(Math.min(...Object.values(counts)) > INPUTS / 200, JSON.stringify(counts));
});
