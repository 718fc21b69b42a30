/**
 * What the codecs know about messages: the structure of a descriptor table.
 *
 * The table itself is generated (`gen/descriptors.ts`). Nothing here depends on specific messages.
 */

/** The scalar types that the codecs support. */
export type ScalarType = "string" | "bytes" | "bool" | "int32" | "uint32" | "int64" | "uint64" | "double";

interface FieldShape {
  /** Canonical JSON name: lowerCamelCase. */
  readonly name: string;
  /** The name in the proto file, usually snake_case. */
  readonly proto: string;
  readonly number: number;
  /** A list. Never combined with `map`. */
  readonly repeated?: true;
  /** A map from strings to `type`. */
  readonly map?: true;
  /** A list whose values share one length-delimited record. */
  readonly packed?: true;
  /** The value is secret: it must not be shown, logged or repeated in an error. */
  readonly redact?: true;
  readonly deprecated?: true;
}

export interface ScalarField extends FieldShape {
  readonly kind: "scalar";
  readonly type: ScalarType;
  /** `bytes` on the wire, but plain text in JSON. */
  readonly text?: true;
}

export interface EnumField extends FieldShape {
  readonly kind: "enum";
  /** The enum's name in `Descriptors.enums`. */
  readonly type: string;
}

export interface MessageField extends FieldShape {
  readonly kind: "message";
  /** The message's name in `Descriptors.messages`. */
  readonly type: string;
}

export type Field = ScalarField | EnumField | MessageField;

export interface MessageDescriptor {
  /** Ordered by number. */
  readonly fields: readonly Field[];
  /** JSON name of the string field that is set when a plain string replaces the message. */
  readonly shorthand?: string;
}

/** Name to number. */
export interface EnumDescriptor {
  readonly [name: string]: number;
}

export interface Descriptors {
  readonly messages: { readonly [name: string]: MessageDescriptor };
  readonly enums: { readonly [name: string]: EnumDescriptor };
}

/**
 * Looks up the descriptor of a message.
 *
 * @throws {TypeError} For a name that the table does not have: a bug in the caller, never caused by input.
 */
export function messageOf(descriptors: Descriptors, name: string): MessageDescriptor {
  const message = Object.hasOwn(descriptors.messages, name) ? descriptors.messages[name] : undefined;
  if (message === undefined) throw new TypeError(`Cannot find message in the descriptor table: "${name}"`);
  return message;
}

/** Looks up the descriptor of an enum. Throws like {@link messageOf}. */
export function enumOf(descriptors: Descriptors, name: string): EnumDescriptor {
  const found = Object.hasOwn(descriptors.enums, name) ? descriptors.enums[name] : undefined;
  if (found === undefined) throw new TypeError(`Cannot find enum in the descriptor table: "${name}"`);
  return found;
}

/** Wire types of protobuf's encoding. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/** The wire type of a single value of a field (a packed list as a whole is `DELIMITED`). */
export function wireTypeOf(field: Field): number {
  if (field.map || field.kind === "message") return DELIMITED;
  if (field.kind === "enum") return VARINT;
  if (field.type === "string" || field.type === "bytes") return DELIMITED;
  return field.type === "double" ? FIXED64 : VARINT;
}
