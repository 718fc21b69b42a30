/** Random values of the document's schemas, and the same in the forms that are not published. */
import fc, { type Arbitrary } from "fast-check";
import { descriptors } from "../../src/gen/descriptors.ts";
import type { EnumDescriptor } from "../../src/wire/descriptor.ts";
import { componentOf, type OpenApiDocument, resolved, type Schema } from "../support/openapi-document.ts";
import { protoName } from "../support/tolerant-document.ts";
import type { Dice } from "../unit/gen/dice.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 12 }) },
  // The gateway takes no NUL.
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 6 }).map((it) => it.replaceAll("\0", "\x01")),
  },
  { weight: 1, arbitrary: fc.constantFrom("", "constructor", "0", "\u0001", "\u2028", "a/b?c#d%25", "😀") },
);

/** By the name of the component: a nested enum's loses its dot. */
const enums: ReadonlyMap<string, EnumDescriptor> = new Map(
  Object.entries(descriptors.enums).map(([name, numbers]) => [name.replaceAll(".", ""), numbers]),
);

/** Values that nothing in the document says, by the name of their property. */
export type Peculiar = { readonly [property: string]: Arbitrary<Json> };

/** Valid values of a schema in the published form. */
export function valid(document: OpenApiDocument, schema: Schema, peculiar: Peculiar): Arbitrary<Json> {
  const said = resolved(document, schema);
  const { type, pattern, format, minLength = 0, minItems = 0, minimum, maximum } = said;
  const { items, properties, additionalProperties, required, enum: choices } = said;
  const own = (name: string, of: Schema): Arbitrary<Json> | undefined =>
    name === "auth" && resolved(document, of).type === "string" ? credentials : undefined;
  if (choices !== undefined) return fc.constantFrom(...(choices as readonly Json[]));
  if (format === "int64" && type === "string") {
    const least = pattern?.startsWith("^(-1|") ? -1n : pattern?.startsWith("^(0|[") ? 0n : -(2n ** 63n);
    return decimal(least, 2n ** 63n - 1n);
  }
  if (format === "uint64") return decimal(0n, 2n ** 64n - 1n);
  switch (type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: minimum ?? -(2 ** 31), max: maximum ?? 2 ** 31 - 1 });
    case "array":
      return fc.array(valid(document, items ?? {}, peculiar), { minLength: minItems, maxLength: 3 });
    case "object": {
      if (additionalProperties) {
        const value = valid(document, additionalProperties, peculiar);
        return fc.dictionary(text, value, { maxKeys: 3, noNullPrototype: true });
      }
      const members = Object.entries(properties ?? {}).map(
        ([name, of]) => [name, peculiar[name] ?? own(name, of) ?? valid(document, of, peculiar)] as const,
      );
      return fc.record(Object.fromEntries(members), {
        requiredKeys: [
          ...(required ?? []),
          ...members.map(([name]) => name).filter((name) => name in peculiar),
        ],
        noNullPrototype: true,
      });
    }
    default:
      return (pattern === undefined ? text : fc.stringMatching(new RegExp(pattern))).filter(
        (value) => value.length >= minLength,
      );
  }
}

/** What no schema can say: credentials are `USER:PASSWORD` in base64. */
const credentials = text.map((user) => Buffer.from(`${user}:password`).toString("base64"));

const decimal = (least: bigint, most: bigint): Arbitrary<string> =>
  fc.oneof(fc.bigInt({ min: least, max: most }), fc.constantFrom(least, most, 0n, 1n)).map(String);

/** A value of a schema, in another form that means the same: at each place one of those that there are. */
export function reformed(document: OpenApiDocument, schema: Schema, value: Json, dice: Dice): Json {
  const { format, items, properties, additionalProperties } = resolved(document, schema);
  const choices = resolved(document, schema).enum;
  if (Array.isArray(value)) {
    const each = value as readonly Json[];
    return items === undefined ? value : each.map((item) => reformed(document, items, item, dice));
  }
  if (typeof value === "string") {
    const number = choices === undefined ? undefined : enums.get(componentOf(schema) ?? "")?.[value];
    if (number !== undefined) return dice.oneIn(2) ? number : value;
    if (/^u?int64$/.test(format ?? "") && Number.isSafeInteger(Number(value)) && dice.oneIn(2))
      return Number(value);
    return value;
  }
  if (typeof value !== "object" || value === null || additionalProperties) return value;
  const object = value as JsonObject;
  if (componentOf(schema) === "ImageSpecInput" && Object.keys(object).length === 1 && dice.oneIn(2))
    return object.image ?? value;
  const members = Object.entries(properties ?? {}).flatMap(
    ([name, of]): readonly (readonly [string, Json])[] => {
      const member = object[name];
      const spelling = dice.oneIn(2) ? protoName(name) : name;
      if (member === undefined) return dice.oneIn(8) ? [[spelling, null]] : [];
      return [[spelling, reformed(document, of, member, dice)]];
    },
  );
  return Object.fromEntries(members);
}
