/**
 * Encodes JSON values as protobuf, strictly.
 *
 * Accepts canonical proto3 JSON and also names from the proto file, 64-bit integers as numbers, enums by number, and a
 * plain string for a message with a shorthand. Rejects anything that would otherwise be silently dropped or changed:
 * unknown fields, wrong types, numbers out of range or with lost digits, fields given in both spellings, lone
 * surrogates. null means absent, except inside lists and maps.
 *
 * The bytes are those of other protobuf encoders: fields ordered by number, defaults omitted, lists of numbers packed.
 */

import { nearest } from "../nearest.ts";
import { DELIMITED, type Descriptors, enumOf, type Field, messageOf, wireTypeOf } from "./descriptor.ts";
import { enumCodec, isWellFormed, type ScalarCodec, scalarCodec, textCodec, Wrong } from "./encode-scalar.ts";
import { breaks, brokenItems, type FieldRule, type FieldRules, type Members } from "./field-rule.ts";
import { describe, InvalidValue, jsonPointer, type Mistake, MOST_MISTAKES } from "./invalid-value.ts";
import { Sink, SinkFull } from "./sink.ts";

export interface EncodeOptions {
  /** Largest message, in bytes; default 16 MiB. */
  readonly maxBytes?: number;
  /**
   * Called with the path of each unknown field, in the sender's spelling, which is then dropped. Default: reject
   * unknown fields. The path is only valid until the callback returns.
   */
  readonly onUnknown?: (path: readonly (string | number)[]) => void;
}

/**
 * Encodes a JSON value as a message.
 *
 * @throws {InvalidValue} When the value does not match the message; with up to ten mistakes.
 * @throws {TypeError} When there is no such message.
 */
export type Encode = (message: string, value: unknown, options?: EncodeOptions) => Buffer;

/** Deepest nesting. Only a recursive message could exceed it. */
const MAX_DEPTH = 100;

/** The state of one encoding. */
interface Encoding {
  readonly sink: Sink;
  /** The current place, in the sender's spelling. */
  readonly path: (string | number)[];
  readonly mistakes: Mistake[];
  readonly onUnknown: EncodeOptions["onUnknown"];
  /** How many of the enclosing fields are redacted. */
  secrets: number;
  /** Whether a text may contain a NUL. No caller means to send one, and C and the kernel end a text there. */
  readonly allowsNul: boolean;
  /** How many of the enclosing fields have no rules inside. */
  unchecked: number;
}

/** Writes one field with its tag; the value is neither null nor undefined. */
type Put = (encoding: Encoding, value: unknown) => void;

/** A message, prepared for encoding. */
interface Plan {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly puts: readonly Put[];
  /** Maps either spelling of a field to its index in `fields`. */
  readonly places: ReadonlyMap<string, number>;
  readonly shorthand: string | undefined;
  readonly rules: readonly (readonly [field: string, rule: FieldRule])[];
}

/** Thrown when there are enough mistakes. */
class Stop extends Error {}

/**
 * Creates an encoder for the messages of a table, which prepares messages on first use. With `rules`, as for a caller's
 * request, it also rejects values that break them and texts with a NUL.
 */
export function createEncoder(descriptors: Descriptors, rules?: FieldRules): Encode {
  const plans = new Map<string, Plan>();
  const planOf = (name: string): Plan => {
    const known = plans.get(name);
    if (known !== undefined) return known;
    const plan = prepare(name, descriptors, { planOf, rules: Object.entries(rules?.[name] ?? {}) });
    plans.set(name, plan);
    return plan;
  };
  return (message, value, options = {}) => {
    const { maxBytes = 16 * 1024 * 1024, onUnknown } = options;
    const encoding: Encoding = {
      sink: new Sink(maxBytes),
      path: [],
      mistakes: [],
      onUnknown,
      secrets: 0,
      allowsNul: rules === undefined,
      unchecked: 0,
    };
    const plan = planOf(message);
    try {
      putMembers(encoding, plan, value);
    } catch (error) {
      if (error instanceof SinkFull)
        throw new InvalidValue(message, [
          { pointer: "", detail: `must be at most ${maxBytes} bytes as protobuf` },
        ]);
      if (!(error instanceof Stop)) throw error;
    }
    const [first, ...more] = encoding.mistakes;
    if (first !== undefined) throw new InvalidValue(message, [first, ...more]);
    return encoding.sink.take();
  };
}

function prepare(
  name: string,
  descriptors: Descriptors,
  { planOf, rules }: { readonly planOf: (name: string) => Plan; readonly rules: Plan["rules"] },
): Plan {
  const { fields, shorthand } = messageOf(descriptors, name);
  const places = new Map<string, number>();
  fields.forEach((field, place) => {
    places.set(field.name, place);
    places.set(field.proto, place);
  });
  const unchecked = new Set(rules.filter(([, rule]) => rule.unchecked).map(([field]) => field));
  const puts = fields.map((field) => {
    const put = putOf(field, descriptors, planOf);
    return unchecked.has(field.name) ? withoutRules(put) : put;
  });
  return { name, fields, shorthand, places, puts, rules };
}

function withoutRules(put: Put): Put {
  return (encoding, value) => {
    encoding.unchecked++;
    put(encoding, value);
    encoding.unchecked--;
  };
}

function putOf(field: Field, descriptors: Descriptors, planOf: (name: string) => Plan): Put {
  const put = shapeOf(field, descriptors, planOf);
  if (!field.redact) return put;
  return (encoding, value) => {
    encoding.secrets++;
    put(encoding, value);
    encoding.secrets--;
  };
}

function shapeOf(field: Field, descriptors: Descriptors, planOf: (name: string) => Plan): Put {
  const tag = (field.number << 3) | wireTypeOf(field);
  if (field.map) {
    if (field.type !== "string") throw new TypeError(`Cannot encode a map to ${field.type}: "${field.name}"`);
    return (encoding, value) => putMap(encoding, tag, value);
  }
  if (field.kind === "message") {
    const put: Put = (encoding, value) => {
      const { sink } = encoding;
      sink.varint32(tag);
      const start = sink.open();
      putMembers(encoding, planOf(field.type), value);
      sink.close(start);
    };
    return field.repeated ? (encoding, value) => putEach(encoding, value, put) : put;
  }
  const codec = field.kind === "enum" ? enumCodec(enumOf(descriptors, field.type)) : scalarCodec(field);
  if (field.packed) return (encoding, value) => putPacked(encoding, { field, codec }, value);
  const put: Put = (encoding, value) => {
    const parsed = parse(encoding, codec, value);
    if (parsed === refused || (!field.repeated && codec.isDefault(parsed))) return;
    encoding.sink.varint32(tag);
    codec.write(encoding.sink, parsed);
  };
  return field.repeated ? (encoding, value) => putEach(encoding, value, put) : put;
}

/** Writes a message's fields ordered by number, whatever the order of the members. */
function putMembers(encoding: Encoding, plan: Plan, value: unknown): void {
  if (typeof value === "string" && plan.shorthand !== undefined) {
    plan.puts[plan.places.get(plan.shorthand) ?? -1]?.(encoding, value);
    if (value !== "") checkShorthand(encoding, plan, { [plan.shorthand]: value });
    return;
  }
  const also = plan.shorthand === undefined ? "" : ` or a string (its ${plan.shorthand})`;
  if (!isObject(value))
    return void refuse(encoding, `must be an object${also}, got ${describe(value, true)}`, "type");
  if (encoding.path.length > MAX_DEPTH) return void refuse(encoding, "must not be nested so deeply");
  const mistakes = encoding.mistakes.length;
  const keys: (string | undefined)[] = new Array(plan.fields.length);
  for (const key of Object.keys(value)) {
    const place = plan.places.get(key);
    const earlier = place === undefined ? undefined : keys[place];
    if (place !== undefined && earlier === undefined) keys[place] = key;
    else if (place === undefined) at(encoding, key, () => unknownField(encoding, plan, key));
    else at(encoding, key, () => refuse(encoding, `must not be given twice, it is also set as ${earlier}`));
  }
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place];
    const member = key === undefined ? undefined : value[key];
    if (key !== undefined && member !== undefined && member !== null)
      at(encoding, key, () => plan.puts[place]?.(encoding, member));
  }
  // Wrong types and unknown fields are already reported.
  if (plan.rules.length > 0 && encoding.unchecked === 0 && encoding.mistakes.length === mistakes)
    checkRules(encoding, plan, { value, keys });
}

/** Checks the rules for a string in place of a message. Whether it may be empty is a rule of its field. */
function checkShorthand(encoding: Encoding, { rules }: Plan, members: Members): void {
  for (const [field, rule] of rules) {
    const detail = breaks(rule, field, members);
    if (detail !== undefined) refuse(encoding, detail);
  }
}

function checkRules(
  encoding: Encoding,
  { fields, places, rules }: Plan,
  {
    value,
    keys,
  }: { readonly value: { readonly [key: string]: unknown }; readonly keys: readonly (string | undefined)[] },
): void {
  const members: { [field: string]: unknown } = {};
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place];
    if (key !== undefined) members[fields[place]?.name ?? key] = value[key];
  }
  for (const [field, rule] of rules) {
    const detail = breaks(rule, field, members);
    const items = detail === undefined ? brokenItems(rule, members[field]) : [];
    if (detail === undefined && items.length === 0) continue;
    at(encoding, keys[places.get(field) ?? -1] ?? field, () => {
      if (detail !== undefined) refuse(encoding, detail);
      for (const [index, wrong] of items) at(encoding, index, () => refuse(encoding, wrong));
    });
  }
}

function unknownField(encoding: Encoding, plan: Plan, key: string): void {
  if (encoding.onUnknown) {
    encoding.onUnknown(encoding.path);
    return;
  }
  const names = plan.fields.map((field) => field.name);
  const close = nearest(key, names);
  const known = names.length === 0 ? "no fields" : names.join(", ");
  const meant = close === undefined ? "" : ` (did you mean ${close}?)`;
  refuse(encoding, `is not known${meant}: ${plan.name} has ${known}`, "unknown");
}

function putEach(encoding: Encoding, value: unknown, put: Put): void {
  if (!Array.isArray(value))
    return void refuse(encoding, `must be a list, got ${describe(value, encoding.secrets > 0)}`, "type");
  for (let i = 0; i < value.length; i++) at(encoding, i, () => put(encoding, value[i]));
}

function putPacked(
  encoding: Encoding,
  { field, codec }: { field: Field; codec: ScalarCodec<unknown> },
  value: unknown,
): void {
  if (Array.isArray(value) && value.length === 0) return;
  const { sink } = encoding;
  sink.varint32((field.number << 3) | DELIMITED);
  const start = sink.open();
  putEach(encoding, value, (_, item) => {
    const parsed = parse(encoding, codec, item);
    if (parsed !== refused) codec.write(sink, parsed);
  });
  sink.close(start);
}

function putMap(encoding: Encoding, tag: number, value: unknown): void {
  if (!isObject(value))
    return void refuse(encoding, `must be an object, got ${describe(value, encoding.secrets > 0)}`, "type");
  const { sink } = encoding;
  for (const key of Object.keys(value))
    at(encoding, key, () => {
      const text = parse(encoding, textCodec, value[key]);
      if (!isWellFormed(key)) refuse(encoding, "must have a key of valid Unicode, without lone surrogates");
      if (!encoding.allowsNul && key.includes("\0"))
        refuse(encoding, "must have a key without NUL characters");
      if (text === refused) return;
      sink.varint32(tag);
      const start = sink.open();
      sink.byte((1 << 3) | DELIMITED);
      sink.text(key);
      sink.byte((2 << 3) | DELIMITED);
      sink.text(text);
      sink.close(start);
    });
}

/** Placeholder for an invalid value. Nothing is written for it, because the encoding fails anyway. */
const refused = Symbol("refused");

function parse<T>(encoding: Encoding, codec: ScalarCodec<T>, value: unknown): T | typeof refused {
  try {
    const parsed = codec.parse(value);
    if (!encoding.allowsNul && typeof parsed === "string" && parsed.includes("\0"))
      throw new Wrong("must have no NUL character");
    return parsed;
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    refuse(encoding, `${error.message}, got ${describe(value, encoding.secrets > 0)}`, "type");
    return refused;
  }
}

function at(encoding: Encoding, part: string | number, run: () => void): void {
  encoding.path.push(part);
  run();
  encoding.path.pop();
}

function refuse(encoding: Encoding, detail: string, kind?: "unknown" | "type"): void {
  const mistake: Mistake = { pointer: jsonPointer(encoding.path), detail };
  encoding.mistakes.push(kind === undefined ? mistake : { ...mistake, kind });
  if (encoding.mistakes.length === MOST_MISTAKES) throw new Stop();
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
