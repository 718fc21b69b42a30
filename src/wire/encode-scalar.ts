/** Validates single JSON values and writes them in protobuf's encoding. */

import { nearest } from "../nearest.ts";
import type { EnumDescriptor, ScalarField } from "./descriptor.ts";
import type { Sink } from "./sink.ts";

/** A value is invalid. The message says what is valid, as a phrase that follows the pointer. */
export class Wrong extends Error {
  override readonly name = "Wrong";
}

/**
 * The values of one field, without its tag. (Methods, not function properties: the result of `parse` only goes to the
 * same codec's `write`, so a codec of any type can be used as a codec of `unknown`.)
 */
export interface ScalarCodec<T> {
  /** Validates a JSON value and returns it in the form that the other methods take. @throws {Wrong} */
  parse(value: unknown): T;
  /** Whether it is the default, which is not written. */
  isDefault(parsed: T): boolean;
  write(sink: Sink, parsed: T): void;
}

/** Text as UTF-8, for `string` and for `bytes` that are text in JSON. */
export const textCodec: ScalarCodec<string> = {
  parse(value) {
    if (typeof value !== "string") throw new Wrong("must be a string");
    if (!isWellFormed(value)) throw new Wrong("must be valid Unicode, without lone surrogates");
    return value;
  },
  isDefault: (text) => text === "",
  write: (sink, text) => sink.text(text),
};

/** Whether a string has no lone surrogates. (The built-in `isWellFormed` is newer than our `lib`.) */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

const base64Codec: ScalarCodec<Buffer> = {
  parse(value) {
    const wrong = "must be base64, standard or URL-safe";
    if (typeof value !== "string") throw new Wrong(wrong);
    // Node decodes any text, so check that encoding the result gives the input again.
    const bytes = Buffer.from(value, "base64");
    const [standard, urlSafe] = [bytes.toString("base64"), bytes.toString("base64url")];
    const padding = standard.indexOf("=");
    const unpadded = padding === -1 ? standard : standard.slice(0, padding);
    const right = value === standard || value === urlSafe || value === unpadded;
    if (!right && value !== urlSafe.padEnd(standard.length, "=")) throw new Wrong(wrong);
    return bytes;
  },
  isDefault: (bytes) => bytes.length === 0,
  write: (sink, bytes) => sink.delimited(bytes),
};

const boolCodec: ScalarCodec<boolean> = {
  parse(value) {
    if (typeof value !== "boolean") throw new Wrong("must be true or false");
    return value;
  },
  isDefault: (flag) => !flag,
  write: (sink, flag) => sink.byte(flag ? 1 : 0),
};

const doubleCodec: ScalarCodec<number> = {
  parse(value) {
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
    throw new Wrong('must be a number, "NaN", "Infinity" or "-Infinity"');
  },
  isDefault: (number) => Object.is(number, 0),
  write: (sink, number) => sink.double(number),
};

function smallIntegerCodec(type: string, least: number, most: number): ScalarCodec<number> {
  return {
    parse(value) {
      if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
        throw new Wrong(`must be ${type}, an integer from ${least} to ${most}`);
      return value;
    },
    isDefault: (number) => number === 0,
    write: (sink, number) => (number < 0 ? sink.varint64(BigInt(number)) : sink.varint32(number)),
  };
}

function largeIntegerCodec(type: string, least: bigint, most: bigint): ScalarCodec<bigint> {
  return {
    parse(value) {
      const number = parseInteger(value, type);
      if (number < least || number > most) throw new Wrong(`must be ${type}, from ${least} to ${most}`);
      return number;
    },
    isDefault: (number) => number === 0n,
    write: (sink, number) => sink.varint64(number),
  };
}

function parseInteger(value: unknown, type: string): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) {
    if (Number.isSafeInteger(value)) return BigInt(value);
    throw new Wrong(`must be ${type} without loss: a number this large loses digits, write it as a string`);
  }
  // Longer ones are out of range anyway, and would only take time.
  if (typeof value === "string" && value.length <= 32 && /^-?(0|[1-9][0-9]*)$/.test(value))
    return BigInt(value);
  throw new Wrong(`must be ${type}, an integer as a decimal string or a number`);
}

/** Most names to list in an error. */
const MOST_NAMES = 12;

/** An enum: by name, or by any number, because a newer runtime may know more values. */
export function enumCodec(descriptor: EnumDescriptor): ScalarCodec<number> {
  const int32 = smallIntegerCodec("int32", -(2 ** 31), 2 ** 31 - 1);
  const names = Object.keys(descriptor);
  return {
    ...int32,
    parse(value) {
      if (typeof value === "number") return int32.parse(value);
      const number =
        typeof value === "string" && Object.hasOwn(descriptor, value) ? descriptor[value] : undefined;
      if (number !== undefined) return number;
      const close = typeof value === "string" ? nearest(value, names) : undefined;
      const some =
        names.length > MOST_NAMES ? `${names.slice(0, MOST_NAMES).join(", ")}, ...` : names.join(", ");
      throw new Wrong(`must be one of ${some}${close === undefined ? "" : ` (did you mean ${close}?)`}`);
    },
  };
}

/** Returns the codec of a scalar field. */
export function scalarCodec(field: ScalarField): ScalarCodec<unknown> {
  switch (field.type) {
    case "string":
      return textCodec;
    case "bytes":
      return field.text ? textCodec : base64Codec;
    case "bool":
      return boolCodec;
    case "double":
      return doubleCodec;
    case "int32":
      return smallIntegerCodec("int32", -(2 ** 31), 2 ** 31 - 1);
    case "uint32":
      return smallIntegerCodec("uint32", 0, 2 ** 32 - 1);
    case "int64":
      return largeIntegerCodec("int64", -(2n ** 63n), 2n ** 63n - 1n);
    case "uint64":
      return largeIntegerCodec("uint64", 0n, 2n ** 64n - 1n);
  }
}
