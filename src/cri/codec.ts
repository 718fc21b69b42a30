/**
 * CRI's messages: connects the generated tables with the wire layer.
 *
 * Replies to callers go from bytes to JSON text without creating objects (`writeReply`). Internally, an object is the
 * JSON.parse of that same text, so there is only one decoder.
 */
import { descriptors } from "../gen/descriptors.ts";
import { type Methods, methods, type Rpc } from "../gen/methods.ts";
import { writers } from "../gen/writers.ts";
import type { BufferPool } from "../wire/buffer-pool.ts";
import { enumOf, type Field, messageOf } from "../wire/descriptor.ts";
import { createEncoder, type EncodeOptions } from "../wire/encode.ts";
import { InvalidValue } from "../wire/invalid-value.ts";
import { type FieldPath, fieldPath, type Items, int64At, scanItems } from "../wire/scan.ts";
import { type Spellings, spellings } from "../wire/spellings.ts";
import { lineWriter, toJsonText, type Writer, type Written, writeJson } from "../wire/write-json.ts";
import { type WriteListOptions, writeList } from "../wire/write-list.ts";
import { withHints } from "./hints.ts";
import { requestRules } from "./request-rules.ts";

export type { Items } from "../wire/scan.ts";

/** A message with any part optional, as in a request. */
export type Input<T> = T extends readonly (infer E)[]
  ? readonly Input<E>[]
  : T extends object
    ? { readonly [K in keyof T]?: Input<T[K]> }
    : T;

const encode = createEncoder(descriptors);
const encodeStrictly = createEncoder(descriptors, requestRules);

function writerOf(message: string): Writer {
  const writer = (writers as { readonly [name: string]: Writer })[message];
  if (!writer) throw new TypeError(`Cannot write message: "${message}" has no writer`);
  return writer;
}

/** Encodes a request as protobuf. @throws {InvalidValue} With pointers in the spelling of `value`. */
export function encodeRequest<R extends Rpc>(rpc: R, value: Input<Methods[R]["request"]> | object): Buffer {
  return encode(methods[rpc].request, value);
}

/**
 * Encodes a caller's request as protobuf and enforces {@link requestRules}. Requests that were encoded here or kept by
 * a runtime are exempt.
 *
 * @throws {InvalidValue} With pointers in the spelling of `value`.
 */
export function encodeCallers(
  rpc: Rpc,
  value: object,
  options: Pick<EncodeOptions, "onUnknown"> = {},
): Buffer {
  const { request } = methods[rpc];
  try {
    return encodeStrictly(request, value, options);
  } catch (error) {
    throw error instanceof InvalidValue ? withHints(request, error) : error;
  }
}

/** Which spelling of a message's fields a value uses, where the two differ. */
export function spellingsIn(message: string, value: unknown): Spellings {
  return spellings(descriptors, message, value);
}

/** Decodes a request that was encoded here, in canonical spelling and with shorthands expanded. */
export function decodeRequest<R extends Rpc>(rpc: R, wire: Uint8Array): Methods[R]["request"] {
  return JSON.parse(toJsonText(writerOf(methods[rpc].request), wire)) as Methods[R]["request"];
}

const requests = new WeakMap<Uint8Array, unknown>();

/** As `decodeRequest`, but decodes only once for all the layers that inspect one request. */
export function requestOf<R extends Rpc>(rpc: R, wire: Uint8Array): Methods[R]["request"] {
  const known = requests.get(wire);
  if (known !== undefined) return known as Methods[R]["request"];
  const request = decodeRequest(rpc, wire);
  requests.set(wire, request);
  return request;
}

/** Decodes a reply. @throws {Malformed} When the runtime sent something other than protobuf. */
export function decodeReply<R extends Rpc>(rpc: R, wire: Uint8Array): Methods[R]["response"] {
  return JSON.parse(toJsonText(writerOf(methods[rpc].response), wire)) as Methods[R]["response"];
}

/** Re-encodes a reply that was decoded and completed here. */
export function encodeReply<R extends Rpc>(rpc: R, value: Methods[R]["response"]): Buffer {
  return encode(methods[rpc].response, value, { maxBytes: Number.POSITIVE_INFINITY });
}

const lineWriters = new Map<string, Writer>();

/** Writes a reply as a line of JSON text in a buffer of `pool`. @throws {Malformed}, {OutputTooLarge} */
export function writeReply(rpc: Rpc, wire: Uint8Array, pool: BufferPool): Written {
  const message = methods[rpc].response;
  let writer = lineWriters.get(message);
  if (!writer) {
    writer = lineWriter(writerOf(message));
    lineWriters.set(message, writer);
  }
  return writeJson(writer, wire, pool);
}

/** Locates the items of a list reply. */
export function replyItems(rpc: Rpc, wire: Uint8Array, field: string): Items {
  return scanItems(wire, fieldAt(methods[rpc].response, field).number);
}

/** Writes the selected items, of type `message`, as JSON in the given order. @throws {Malformed}, {OutputTooLarge} */
export function writeItems(message: string, items: Items, options: WriteListOptions): Written {
  return writeList(writerOf(message), items, options);
}

/** The field numbers along a dotted path. @throws {TypeError} When there is no such field. */
export function fieldNumbers(message: string, path: string): FieldPath {
  return fieldPath(descriptors, message, path);
}

/** Whether a reply has the message field `field`, without decoding it. */
export function hasField(rpc: Rpc, wire: Uint8Array, field: string): boolean {
  return scanItems(wire, fieldAt(methods[rpc].response, field).number).length > 0;
}

/** Reads an integer of a reply at a dotted path, without decoding the rest; 0 when it is absent. */
export function replyInteger(rpc: Rpc, wire: Uint8Array, path: string): bigint {
  const whole: Items = { wire, length: 1, ranges: Int32Array.of(0, wire.length) };
  return int64At(whole, 0, fieldNumbers(methods[rpc].response, path));
}

/** Returns a bytes field of a reply without copying it; empty when it is absent. @throws {Malformed} */
export function replyBytes(rpc: Rpc, wire: Buffer, field: string): Buffer {
  const { ranges } = scanItems(wire, fieldAt(methods[rpc].response, field).number);
  const [start, end] = ranges.subarray(-2);
  return wire.subarray(start ?? 0, end ?? 0);
}

/**
 * Converts a message from another program's JSON to canonical spelling. Drops members that the message does not have
 * here: a newer runtime may keep fields that this version of CRI cannot express.
 *
 * @throws {InvalidValue} When a known member has a value of the wrong type.
 */
export function readLenient(message: string, value: unknown): unknown {
  return JSON.parse(toJsonText(writerOf(message), encode(message, value, { onUnknown: () => {} })));
}

/** The fields of a message, ordered by number. */
export function fieldsOf(message: string): readonly Field[] {
  return messageOf(descriptors, message).fields;
}

/** The field at the end of a dotted path. @throws {TypeError} When there is no such field. */
export function fieldAt(message: string, path: string): Field {
  const [head, ...rest] = path.split(".");
  const field = fieldsOf(message).find(({ name }) => name === head);
  if (!field) throw new TypeError(`${message} has no field "${path}"`);
  return rest.length > 0 ? fieldAt(field.type, rest.join(".")) : field;
}

/** The names of an enum's values, ordered by number. */
export function enumNames(name: string): readonly string[] {
  return Object.keys(enumOf(descriptors, name));
}
