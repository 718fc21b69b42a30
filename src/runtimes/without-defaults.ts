/** Canonical JSON without default values. */

import { enumNames, fieldsOf } from "../cri/codec.ts";
import type { Field } from "../wire/descriptor.ts";

interface JsonObject {
  readonly [name: string]: unknown;
}

/**
 * Returns a message as canonical JSON without members that have their type's default. Encodes to the same bytes. Keeps
 * even empty messages, because their presence is significant.
 */
export function withoutDefaults(message: string, value: object): JsonObject {
  const object = value as JsonObject;
  return Object.fromEntries(
    fieldsOf(message)
      .map((field) => [field.name, shortened(field, object[field.name])] as const)
      .filter(([, member]) => member !== undefined),
  );
}

/** The value without defaults; undefined if it is a default itself. */
function shortened(field: Field, value: unknown): unknown {
  if (value === undefined || value === null) return undefined;
  if (field.map) return Object.keys(value).length === 0 ? undefined : value;
  if (!field.repeated) {
    if (field.kind === "message") return withoutDefaults(field.type, value);
    return value === defaultOf(field) || value === 0 ? undefined : value;
  }
  const items = value as readonly unknown[];
  if (items.length === 0) return undefined;
  return field.kind === "message" ? items.map((item) => withoutDefaults(field.type, item as object)) : items;
}

function defaultOf(field: Field): unknown {
  if (field.kind === "enum") return enumNames(field.type)[0];
  if (field.type === "bool") return false;
  return field.type === "int64" || field.type === "uint64" ? "0" : "";
}
