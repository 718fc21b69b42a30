/** Random JSON values of our messages, for fast-check. */
import fc, { type Arbitrary } from "fast-check";
import type { DescField, DescMessage, JsonValue } from "./reference.ts";

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc.string({
      unit: fc.constantFrom('"', "\\", "\n", "\u0000", "\u001f", "\u007f", "a", "é", "😀"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "0", "10", "9", "\ufeffx", "\u2028"),
  },
);

const doubles = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom("NaN", "Infinity", "-Infinity", 0, -0, 5e-324, 1.7976931348623157e308, 1e21, 1e-7),
);

function largeInteger(least: bigint, most: bigint): Arbitrary<JsonValue> {
  const any = fc.oneof(
    fc.bigInt({ min: least, max: most }),
    fc.integer({ min: 0, max: 63 }).map((bits) => 1n << BigInt(bits)),
    fc.constantFrom(least, most, 0n, 1n, 999_999_999n, 1_000_000_000n, 10n ** 18n),
  );
  const clamped = any.map((n) => (n > most ? most : n));
  const safe = fc.maxSafeInteger().map((n) => (BigInt(n) < least ? -n : n));
  return fc.oneof({ weight: 4, arbitrary: clamped.map(String) }, { weight: 1, arbitrary: safe });
}

const scalars: { readonly [type: number]: Arbitrary<JsonValue> } = {
  // Numbers of descriptor.proto's Type.
  1: doubles,
  3: largeInteger(-(2n ** 63n), 2n ** 63n - 1n),
  4: largeInteger(0n, 2n ** 64n - 1n),
  5: fc.oneof(fc.integer(), fc.constantFrom(0, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31))),
  8: fc.boolean(),
  9: text,
  12: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  13: fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1)),
};

const known = new Map<DescMessage, Arbitrary<JsonValue>>();

/** JSON values that both our encoder and protobuf-es take, in any of the spellings. */
export function jsonOf(message: DescMessage): Arbitrary<JsonValue> {
  const made = known.get(message);
  if (made !== undefined) return made;
  // Each field absent, or under one of its names; in an order of its own.
  const members = message.fields.map((field) =>
    fc.option(fc.tuple(fc.constantFrom(field.jsonName, field.jsonName, field.name), anyOf(field)), {
      freq: 3,
      nil: undefined,
    }),
  );
  const arbitrary = fc.tuple(fc.tuple(...members), fc.nat()).map(([entries, turn]) => {
    const present = entries.filter((entry) => entry !== undefined);
    const start = present.length === 0 ? 0 : turn % present.length;
    return Object.fromEntries([...present.slice(start), ...present.slice(0, start)]) as JsonValue;
  });
  known.set(message, arbitrary);
  return arbitrary;
}

function anyOf(field: DescField): Arbitrary<JsonValue> {
  if (field.fieldKind === "map") {
    return fc.array(fc.tuple(text, text), { maxLength: 5 }).map((entries) => {
      const map: { [key: string]: string } = Object.create(null);
      for (const [key, value] of entries) map[key] = value;
      return map;
    });
  }
  const one = singleOf(field);
  return field.fieldKind === "list" ? fc.array(one, { maxLength: 3 }) : one;
}

function singleOf(field: DescField): Arbitrary<JsonValue> {
  if (field.message !== undefined) return jsonOf(field.message);
  if (field.enum !== undefined) {
    const names = field.enum.values.map(({ name }) => name);
    return fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...names) },
      { weight: 1, arbitrary: fc.integer({ min: -3, max: 99 }) },
    );
  }
  if (field.parent.name === "KeyValue" && field.name === "value") return text;
  const scalar = field.scalar === undefined ? undefined : scalars[field.scalar];
  if (scalar === undefined) throw new Error(`no values for ${field.name}`);
  return scalar;
}
