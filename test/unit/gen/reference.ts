/** What protobuf-es makes of our messages: the reference that the generated codecs are held against. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The descriptor set of proto/, as the generator reads it. */
export function buildDescriptorSet(): Uint8Array {
  const buf = join("node_modules", ".bin", "buf");
  const { status, stdout, stderr } = spawnSync(
    buf,
    ["build", "proto", "--as-file-descriptor-set", "-o", "-"],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (status !== 0) throw new Error(`Cannot build proto/: ${stderr}`);
  return stdout;
}

function loadProtos(folder: string): readonly DescFile[] {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, buildDescriptorSet()));
  return [...registry.files].filter(({ name }) => name.startsWith(folder));
}

function loadCri(): DescFile {
  const [file] = loadProtos("runtime/");
  if (file === undefined) throw new Error("proto/runtime is empty");
  return file;
}

/** CRI. */
export const proto = loadCri();

/** What Crest uses of containerd's own API. */
export const containerdProtos = loadProtos("containerd/");

/** CRI's last: where containerd has a message of the same name, CRI's is meant. */
const byName = new Map(
  [...containerdProtos, proto].flatMap(({ messages }) => messages).map((message) => [message.name, message]),
);

export function schemaOf(name: string | DescMessage): DescMessage {
  if (typeof name !== "string") return name;
  const schema = byName.get(name);
  if (schema === undefined) throw new Error(`no message ${name}`);
  return schema;
}

/** A JSON value as bytes; `KeyValue.value` is plain text in ours, and base64 for protobuf-es. */
export function referenceBytes(name: string | DescMessage, json: JsonValue): Buffer {
  const schema = schemaOf(name);
  return Buffer.from(toBinary(schema, fromJson(schema, toBase64(schema, json))));
}

/** Bytes as our JSON text: defaults there, maps by key, `KeyValue.value` as text. */
export function referenceText(name: string | DescMessage, wire: Uint8Array): string {
  const schema = schemaOf(name);
  return render(schema, toJson(schema, fromBinary(schema, wire), { alwaysEmitImplicit: true }) as JsonObject);
}

function isText(field: DescField): boolean {
  return field.parent.name === "KeyValue" && field.name === "value";
}

function render(schema: DescMessage, json: JsonObject): string {
  const members = Object.entries(json).map(([key, value]) => {
    const field = schema.fields.find((candidate) => candidate.jsonName === key);
    if (field === undefined) throw new Error(`no field ${key}`);
    return `${JSON.stringify(key)}:${renderValue(field, value)}`;
  });
  return `{${members.join()}}`;
}

function renderValue(field: DescField, value: JsonValue): string {
  if (field.fieldKind === "map") {
    const entries = Object.entries(value as JsonObject).map(([k, v]) => ({ k, v, bytes: Buffer.from(k) }));
    entries.sort((x, y) => Buffer.compare(x.bytes, y.bytes));
    return `{${entries.map(({ k, v }) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join()}}`;
  }
  const { message } = field;
  if (message === undefined) {
    return JSON.stringify(isText(field) ? Buffer.from(value as string, "base64").toString("utf8") : value);
  }
  if (!Array.isArray(value)) return render(message, value as JsonObject);
  return `[${value.map((item) => render(message, item as JsonObject)).join()}]`;
}

function toBase64(schema: DescMessage, json: JsonValue): JsonValue {
  const entries = Object.entries(json as JsonObject).map(([key, value]): [string, JsonValue] => {
    const field = schema.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
    if (field === undefined || value === null) return [key, value];
    if (isText(field)) return [key, Buffer.from(value as string).toString("base64")];
    const { message } = field;
    if (message === undefined || field.fieldKind === "map") return [key, value];
    return [
      key,
      Array.isArray(value) ? value.map((item) => toBase64(message, item)) : toBase64(message, value),
    ];
  });
  return Object.fromEntries(entries);
}

export type { DescEnum, DescField, DescMessage, JsonValue };
