/** Finds the field of a request that a runtime's error is about. */

import { fieldsOf } from "../cri/codec.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { jsonPointer } from "../wire/invalid-value.ts";

interface Walk {
  /** The runtime's error text. */
  readonly text: string;
  /** The current place, in the caller's spelling. */
  readonly path: (string | number)[];
  /** The current message. */
  message: string;
  value: unknown;
}

/**
 * Returns a pointer to the first of the fields `at` that the request has, in the request's spelling; undefined if it
 * has none. `at` is that of `ErrorPattern`.
 */
export function mistakePlace(
  rpc: Rpc,
  request: object,
  { at, text }: { readonly at: readonly string[]; readonly text: string },
): string | undefined {
  for (const pointer of at) {
    const walk: Walk = { text, path: [], message: methods[rpc].request, value: request };
    if (follow(walk, pointer.split("/").slice(1))) return jsonPointer(walk.path);
  }
  return undefined;
}

/** Follows the parts; false if a field is absent. Stops at a list or map if the text names none of its items. */
function follow(walk: Walk, parts: readonly string[]): boolean {
  for (const part of parts) {
    const chosen = /^\[(\w*)\]$/.exec(part)?.[1];
    if (chosen === undefined ? !enterField(walk, part) : !enterItem(walk, chosen))
      return chosen !== undefined;
  }
  return true;
}

function enterField(walk: Walk, name: string): boolean {
  const field = fieldsOf(walk.message).find((one) => one.name === name);
  if (field === undefined || !isObject(walk.value)) return false;
  const key = [field.name, field.proto].find((one) => isGiven((walk.value as JsonObject)[one]));
  if (key === undefined) return false;
  walk.path.push(key);
  walk.value = walk.value[key];
  if (field.kind === "message") walk.message = field.type;
  return true;
}

/** Enters the item that the text contains. The longest one wins, because `/a` is part of `/a/b`. */
function enterItem(walk: Walk, name: string): boolean {
  const found = itemsOf(walk.value)
    .map(([key, item]) => ({ key, item, word: wordOf(walk.message, { key, item, name }) }))
    .filter(({ word }) => word !== "" && repeats(walk.text, word))
    .sort((one, other) => other.word.length - one.word.length)[0];
  if (found === undefined) return false;
  walk.path.push(found.key);
  walk.value = found.item;
  return true;
}

function itemsOf(value: unknown): readonly (readonly [key: string | number, item: unknown])[] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, item]);
  return isObject(value) ? Object.entries(value) : [];
}

/** The text that identifies an item: its field `name`, or without one its key in a map, or the item itself. */
function wordOf(
  message: string,
  { key, item, name }: { readonly key: string | number; readonly item: unknown; readonly name: string },
): string {
  const proto = fieldsOf(message).find((field) => field.name === name)?.proto ?? name;
  const word =
    name !== "" ? isObject(item) && (item[name] ?? item[proto]) : typeof key === "string" ? key : item;
  return typeof word === "string" ? word : "";
}

/** Runtimes also write sysctls as paths: `net/ipv4/ip_forward`. */
const repeats = (text: string, word: string): boolean =>
  text.includes(word) || text.includes(word.replaceAll(".", "/"));

type JsonObject = { readonly [key: string]: unknown };

/** Whether a field differs from its default. An encoded request does not distinguish a default from absence. */
const isGiven = (value: unknown): boolean =>
  isObject(value)
    ? !Array.isArray(value) || value.length > 0
    : value !== undefined && value !== "0" && Boolean(value);
const isObject = (value: unknown): value is JsonObject => typeof value === "object" && value !== null;
