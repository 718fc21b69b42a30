/**
 * The proto files of one API as the printers need them.
 *
 * Also asserts what the codecs rely on (no recursion, no oneof, maps of strings, ...). If a later CRI breaks an
 * assumption, the generator stops with an error instead of the gateway failing at run time.
 */
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  fromBinary,
  ScalarType,
} from "@bufbuild/protobuf";
import { Edition, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type {
  EnumField,
  Field,
  MessageField,
  ScalarField,
  ScalarType as WireScalar,
} from "../wire/descriptor.ts";
import { type Comments, fileOf, readComments } from "./comments.ts";
import { shorthands, textFields } from "./json-overrides.ts";

export interface FieldModel {
  readonly field: Field;
  readonly comment: string;
}

export interface MessageModel {
  readonly name: string;
  readonly comment: string;
  /** Sorted by number. */
  readonly fields: readonly FieldModel[];
  readonly shorthand: string | undefined;
}

export interface EnumModel {
  /** `Message.Enum` for nested enums. */
  readonly name: string;
  readonly comment: string;
  readonly values: readonly { readonly name: string; readonly number: number; readonly comment: string }[];
}

export interface RpcModel {
  /** For example `RuntimeService/Version`. */
  readonly name: string;
  /** For example `/runtime.v1.RuntimeService/Version`. */
  readonly path: string;
  readonly comment: string;
  readonly request: string;
  readonly response: string;
  readonly stream: boolean;
}

export interface Model {
  /** Sorted so that each message follows the messages it contains. */
  readonly messages: readonly MessageModel[];
  readonly enums: readonly EnumModel[];
  readonly rpcs: readonly RpcModel[];
}

/** The input breaks an assumption of the codecs. */
export class UnsupportedProto extends Error {
  override readonly name = "UnsupportedProto";
}

/**
 * Reads the output of `buf build --as-file-descriptor-set`.
 *
 * `folder`: the folder of the files to read, with a slash at the end. Undefined if there are none.
 *
 * @throws {UnsupportedProto} for something that the codecs do not support.
 */
export function readModel(descriptorSet: Uint8Array, folder: string): Model | undefined {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
  const files = [...createFileRegistry(set).files].filter(({ name }) => name.startsWith(folder));
  if (files.length === 0) return undefined;
  for (const file of files)
    if (file.edition !== Edition.EDITION_PROTO3)
      throw new UnsupportedProto(`${file.name} must have proto3 syntax`);
  const parts = files.map((file) => ({ file, comments: readComments(file) }));
  const all = files.flatMap((file) => file.messages);
  const nested = all.flatMap((message) => message.nestedEnums);
  const enums = [...files.flatMap((file) => file.enums), ...nested];
  assertOnce([...all, ...enums]);
  assertWhole(all);
  const commentsOf = new Map(parts.map(({ file, comments }) => [file, comments]));
  const commentOf: Comments = (descriptor) => commentsOf.get(fileOf(descriptor))?.(descriptor) ?? "";
  return {
    messages: inOrder(all).map((message) => messageModel(message, commentOf)),
    enums: enums.map((descriptor) => enumModel(descriptor, commentOf)),
    rpcs: files.flatMap((file) => rpcModels(file, commentOf)),
  };
}

/** The generated code identifies a type by its name, without its package. */
function assertOnce(types: readonly (DescMessage | DescEnum)[]): void {
  const seen = new Map<string, string>();
  for (const type of types) {
    const name = type.kind === "enum" ? enumName(type) : type.name;
    const other = seen.get(name);
    if (other !== undefined)
      throw new UnsupportedProto(`${other} and ${type.typeName} have the same name: ${name}`);
    seen.set(name, type.typeName);
  }
}

/** Rejects fields whose type is in none of the files that are read. */
function assertWhole(messages: readonly DescMessage[]): void {
  const known = new Set(messages);
  for (const message of messages)
    for (const { message: held } of message.fields)
      if (held !== undefined && !known.has(held))
        throw new UnsupportedProto(`${message.typeName} holds ${held.typeName}, which is not in its API`);
}

/** Sorts messages so that each follows the messages it contains. Rejects cycles. */
function inOrder(messages: readonly DescMessage[]): DescMessage[] {
  const done = new Set<DescMessage>();
  const open = new Set<DescMessage>();
  const add = (message: DescMessage): void => {
    if (done.has(message)) return;
    if (open.has(message))
      throw new UnsupportedProto(`${message.name} holds itself: recursion is not supported`);
    open.add(message);
    for (const { message: held } of message.fields) if (held !== undefined) add(held);
    done.add(message);
  };
  for (const message of messages) add(message);
  return [...done];
}

function messageModel(message: DescMessage, comments: Comments): MessageModel {
  if (message.nestedMessages.some((nested) => !nested.proto.options?.mapEntry))
    throw new UnsupportedProto(`${message.name} has a nested message`);
  const fields = message.fields.map((field) => ({ field: fieldOf(field), comment: comments(field) }));
  fields.sort((a, b) => a.field.number - b.field.number);
  assertNames(message.name, fields);
  return { name: message.name, comment: comments(message), fields, shorthand: shorthands.get(message.name) };
}

/** Rejects two fields that accept the same spelling. */
function assertNames(message: string, fields: readonly FieldModel[]): void {
  const seen = new Map<string, number>();
  for (const { field } of fields)
    for (const name of [field.name, field.proto]) {
      const other = seen.get(name);
      if (other !== undefined && other !== field.number)
        throw new UnsupportedProto(`${message} has two fields that are called ${name}`);
      seen.set(name, field.number);
    }
}

function fieldOf(descriptor: DescField): Field {
  const shape = {
    name: descriptor.jsonName,
    proto: descriptor.name,
    number: descriptor.number,
    ...(descriptor.fieldKind === "list" ? { repeated: true as const } : {}),
    ...(descriptor.fieldKind === "list" && descriptor.packed ? { packed: true as const } : {}),
    ...(descriptor.fieldKind === "map" ? { map: true as const } : {}),
    ...(descriptor.proto.options?.debugRedact ? { redact: true as const } : {}),
    ...(descriptor.proto.options?.deprecated ? { deprecated: true as const } : {}),
  };
  const where = `${descriptor.parent.name}.${descriptor.name}`;
  if (descriptor.oneof !== undefined || descriptor.proto.proto3Optional)
    throw new UnsupportedProto(`${where} is in a oneof, or optional`);
  if (descriptor.message !== undefined)
    return { ...shape, kind: "message", type: descriptor.message.name } satisfies MessageField;
  if (descriptor.enum !== undefined)
    return { ...shape, kind: "enum", type: enumName(descriptor.enum) } satisfies EnumField;
  const type = scalarName(descriptor.scalar, where);
  if (descriptor.fieldKind === "map" && (descriptor.mapKey !== ScalarType.STRING || type !== "string"))
    throw new UnsupportedProto(`${where} must be a map from strings to strings`);
  const text = textFields.has(where);
  if (text && type !== "bytes") throw new UnsupportedProto(`${where} must be bytes to be text in JSON`);
  return { ...shape, kind: "scalar", type, ...(text ? { text: true as const } : {}) } satisfies ScalarField;
}

const scalars: ReadonlyMap<ScalarType | undefined, WireScalar> = new Map([
  [ScalarType.STRING, "string"],
  [ScalarType.BYTES, "bytes"],
  [ScalarType.BOOL, "bool"],
  [ScalarType.INT32, "int32"],
  [ScalarType.UINT32, "uint32"],
  [ScalarType.INT64, "int64"],
  [ScalarType.UINT64, "uint64"],
  [ScalarType.DOUBLE, "double"],
]);

function scalarName(scalar: ScalarType | undefined, where: string): WireScalar {
  const name = scalars.get(scalar);
  if (name === undefined) throw new UnsupportedProto(`${where} has a type that the codecs do not know`);
  return name;
}

function enumName(descriptor: DescEnum): string {
  return descriptor.parent === undefined ? descriptor.name : `${descriptor.parent.name}.${descriptor.name}`;
}

function enumModel(descriptor: DescEnum, comments: Comments): EnumModel {
  const numbers = new Set(descriptor.values.map((value) => value.number));
  if (numbers.size < descriptor.values.length) throw new UnsupportedProto(`${descriptor.name} has aliases`);
  const values = descriptor.values.map((value) => ({
    name: value.name,
    number: value.number,
    comment: comments(value),
  }));
  return { name: enumName(descriptor), comment: comments(descriptor), values };
}

function rpcModels(file: DescFile, comments: Comments): RpcModel[] {
  const rpcs = file.services.flatMap((service) => service.methods);
  return rpcs.map((method) => ({
    name: `${method.parent.name}/${method.name}`,
    path: `/${method.parent.typeName}/${method.name}`,
    comment: comments(method),
    request: method.input.name,
    response: method.output.name,
    stream: isStream(method),
  }));
}

function isStream(method: DescMethod): boolean {
  if (method.methodKind === "unary") return false;
  if (method.methodKind === "server_streaming") return true;
  throw new UnsupportedProto(`${method.name} takes a stream`);
}
