/** Checks the body of a custom route against its schema. Names every mistake, and never repeats a value. */
import type { FieldError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { jsonPointer } from "../wire/invalid-value.ts";
import { invalid, type JsonObject } from "./bind.ts";

/** The part of JSON Schema that bodies use. Members that begin with `x-` are for whoever checks the value later. */
export interface BodySchema {
  readonly type: "object" | "array" | "string" | "boolean" | "number" | "integer";
  readonly description?: string;
  readonly properties?: { readonly [name: string]: BodySchema };
  readonly required?: readonly string[];
  /** Of an object without `properties`: what its members are. */
  readonly additionalProperties?: false | BodySchema;
  readonly items?: BodySchema;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** As many as the encoder reports. A short body can have very many. */
const maxMistakes = 100;

/** @throws {GatewayError} invalid_request: with the mistakes. */
export function checkBody(schema: BodySchema, body: JsonObject): void {
  const mistakes: FieldError[] = [];
  note(mistakes, { schema, value: body, pointer: "" });
  if (mistakes.length > 0) throw invalid(mistakes);
}

interface Checked {
  readonly schema: BodySchema;
  readonly value: unknown;
  readonly pointer: string;
}

function note(mistakes: FieldError[], { schema, value, pointer }: Checked): void {
  if (mistakes.length >= maxMistakes) return;
  const detail = wrong(schema, value);
  if (detail !== undefined) mistakes.push({ pointer, detail });
  else if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return;
    for (const [index, item] of value.entries())
      note(mistakes, { schema: items, value: item, pointer: `${pointer}/${index}` });
  } else if (schema.type === "object") noteMembers(mistakes, { schema, value, pointer });
}

function noteMembers(mistakes: FieldError[], { schema, value, pointer }: Checked): void {
  const { properties, required = [], additionalProperties } = schema;
  const members = value as JsonObject;
  const at = (name: string): string => `${pointer}${jsonPointer([name])}`;
  for (const name of required) {
    if (given(members, name) === undefined)
      mistakes.push({ pointer: at(name), detail: `must be given: ${expected(properties?.[name])}` });
  }
  for (const name of Object.keys(members)) {
    if (mistakes.length >= maxMistakes) return;
    const member = given(members, name);
    // As in protobuf's JSON, null is no value.
    if (member === undefined) continue;
    const part = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (part !== undefined) note(mistakes, { schema: part, value: member, pointer: at(name) });
    else if (typeof additionalProperties === "object")
      note(mistakes, { schema: additionalProperties, value: member, pointer: at(name) });
    else if (properties !== undefined)
      mistakes.push({ pointer: at(name), detail: unknownMember(name, Object.keys(properties)) });
  }
}

const given = (members: JsonObject, name: string): unknown =>
  Object.hasOwn(members, name) ? (members[name] ?? undefined) : undefined;

function unknownMember(name: string, known: readonly string[]): string {
  const close = nearest(name, known);
  return `is not known${close === undefined ? "" : ` (did you mean ${close}?)`}: the body has ${known.join(", ")}`;
}

/** What is wrong with a value itself. */
function wrong(schema: BodySchema, value: unknown): string | undefined {
  if (!hasType(schema.type, value)) return `must be ${expected(schema)}, got ${kindOf(value)}`;
  const { enum: words, minLength = 0, pattern, minimum, maximum } = schema;
  if (typeof value === "string") {
    if (words !== undefined && !words.includes(value)) return `must be ${expected(schema)}`;
    if (value.length < minLength) return "must not be empty";
    if (pattern !== undefined && !new RegExp(pattern).test(value))
      return `must match ${pattern}: ${schema.description ?? ""}`;
  }
  if (typeof value === "number") {
    if (minimum !== undefined && value < minimum) return `must be at least ${minimum}`;
    if (maximum !== undefined && value > maximum) return `must be at most ${maximum}`;
  }
  return undefined;
}

function hasType(type: BodySchema["type"], value: unknown): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

const words: { readonly [T in BodySchema["type"]]: string } = {
  object: "an object",
  array: "a list",
  string: "a text",
  boolean: "true or false",
  number: "a number",
  integer: "a whole number",
};

function expected(schema: BodySchema | undefined): string {
  if (schema === undefined) return "a value";
  return schema.enum === undefined ? words[schema.type] : schema.enum.join(" or ");
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
