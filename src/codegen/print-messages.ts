/** Prints `gen/messages.ts`: types for the JSON form of each message. */
import type { Field } from "../wire/descriptor.ts";
import type { EnumModel, MessageModel, Model } from "./model.ts";
import { docComment, typeName } from "./text.ts";

const jsonTypes = {
  string: "string",
  bytes: "string",
  bool: "boolean",
  int32: "number",
  uint32: "number",
  int64: "string",
  uint64: "string",
  double: "number",
} as const;

export function printMessages({ messages, enums }: Model): string {
  const names = messages.map(({ name }) => name).sort();
  return [
    "// The JSON form of every message, as Crest returns it. Scalars, enums, lists and maps are always present,",
    "// single messages only if set. 64-bit integers are decimal strings.",
    "",
    "/** Every message, by name. */",
    "export interface Messages {",
    ...names.map((name) => `  readonly ${name}: ${name};`),
    "}",
    "",
    "export type MessageName = keyof Messages;",
    "",
    ...enums.map(printEnum),
    ...messages.map(printMessage),
  ].join("\n");
}

function printEnum({ name, comment, values }: EnumModel): string {
  const names = values.map((value) => JSON.stringify(value.name));
  return `${docComment(comment)}export type ${typeName(name)} =\n  | ${names.join("\n  | ")};\n`;
}

function printMessage({ name, comment, fields }: MessageModel): string {
  const members = fields.map((model) => {
    const mark = isOptional(model.field) ? "?" : "";
    return `${docComment(model.comment, "  ")}  readonly ${model.field.name}${mark}: ${typeOf(model.field)};`;
  });
  const body = members.length === 0 ? "{}" : `{\n${members.join("\n")}\n}`;
  return `${docComment(comment)}export interface ${name} ${body}\n`;
}

function isOptional(field: Field): boolean {
  return field.kind === "message" && !field.repeated && !field.map;
}

function typeOf(field: Field): string {
  const one = field.kind === "scalar" ? jsonTypes[field.type] : typeName(field.type);
  if (field.map) return `{ readonly [key: string]: ${one} }`;
  return field.repeated ? `readonly ${one}[]` : one;
}
