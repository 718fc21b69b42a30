/**
 * Keeps a caller's secrets out of errors.
 *
 * Runtimes and registries repeat their input: containerd quotes a registry password that it cannot parse. Such a text
 * would be returned and logged. So what a caller wrote into a field that is not in `open-fields.ts` is masked in every
 * text of an error, in the forms in which runtimes write it. A value that the same request also contains in the open,
 * for example as part of an image name, is not a secret.
 */

import { fieldsOf } from "../cri/codec.ts";
import { cutMark } from "../cri/runtime-text.ts";
import { GatewayError, type GatewayErrorOptions } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { decodeBase64 } from "../wire/base64.ts";
import type { Field } from "../wire/descriptor.ts";
import { openFields } from "./open-fields.ts";

/** Shorter values occur in any text: masking them would garble it, and they protect nothing. */
const minLength = 4;
/** Of fields that need not hold a secret, such as annotations, where `true` and `default` are usual values. */
const minLengthOfOthers = 8;
const mask = "[redacted]";

interface Texts {
  readonly secret: string[];
  readonly open: string[];
}

/** Collects the texts of a message as the caller wrote it, valid or not, by whether their field is redacted. */
function collect(message: string, value: unknown, texts: Texts): void {
  if (typeof value !== "object" || value === null) {
    // A string may replace the whole message.
    texts.open.push(...textsIn(value));
    return;
  }
  const members = value as { readonly [name: string]: unknown };
  for (const field of fieldsOf(message)) {
    const member = members[field.name] ?? members[field.proto];
    const items: readonly unknown[] = Array.isArray(member) ? member : [member];
    if (field.kind === "message") {
      for (const item of items) collect(field.type, item, texts);
      continue;
    }
    const openItems = isOpen(message, field) ? items.length : isProgram(field.name, members) ? 1 : 0;
    texts.open.push(...items.slice(0, openItems).flatMap(textsIn), ...keysOf(field, member));
    const hidden = items
      .slice(openItems)
      .flatMap((item) => (field.map ? Object.values(item ?? {}) : [item]))
      .flatMap(textsIn);
    const least = field.redact ? minLength : minLengthOfOthers;
    texts.secret.push(...hidden.filter(({ length }) => length >= least));
  }
}

/** Numbers and words of an enum may be repeated: what was wrong with them must be understood. */
const isOpen = (message: string, { name, kind, type, redact }: Field): boolean =>
  !redact &&
  (kind === "enum" || !/^(string|bytes)$/.test(type) || openFields[message]?.includes(name) === true);

/** Whether the first word of this field is the program, which an error about a command names. */
const isProgram = (field: string, { command }: { readonly [name: string]: unknown }): boolean =>
  field === "cmd" ||
  field === "command" ||
  (field === "args" && !(Array.isArray(command) && command.length > 0));

const keysOf = ({ map }: Field, member: unknown): readonly string[] =>
  map === true && typeof member === "object" && member !== null ? Object.keys(member) : [];

/** All texts in a JSON value. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.entries(value).flat().flatMap(textsIn) : [];
}

/** The texts to mask in errors about a request, longest first. */
export function secretsIn(rpc: Rpc, request: object): readonly string[] {
  const texts: Texts = { secret: [], open: [] };
  collect(methods[rpc].request, request, texts);
  const values = texts.secret.flatMap((text) => [text, ...decoded(text)]);
  const secret = values.filter(
    (text) => text.length >= minLength && !texts.open.some((open) => open.includes(text)),
  );
  return [...new Set(secret.flatMap(formsOf))].sort((a, b) => b.length - a.length);
}

/** What a runtime decodes from base64 credentials: `USER:PASSWORD`, and the password alone. */
function decoded(text: string): readonly string[] {
  const credentials = decodeBase64(text)?.toString("utf8") ?? "";
  return credentials === "" ? [] : [credentials, credentials.slice(credentials.indexOf(":") + 1)];
}

/** The forms of a value in a text: unchanged, quoted by Go (strconv.Quote), in JSON, in a URL, in base64. */
function formsOf(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const go = json.replace(/\\u00([0-9a-f]{2})/g, "\\x$1");
  const bytes = Buffer.from(text);
  // From bytes: encodeURIComponent throws for a lone surrogate, which only a rejected body can contain.
  return [text, json, go, encodeURIComponent(bytes.toString("utf8")), bytes.toString("base64")];
}

/** Masks the secrets in a text. */
export const hideSecrets = (text: string, secrets: readonly string[]): string =>
  hideParts(
    secrets.reduce((all, one) => all.replaceAll(one, mask), text),
    secrets,
  );

/** The same in the texts of JSON, which are written with escapes. Text that is not JSON is masked as it is. */
export function hideSecretsInJson(json: string, secrets: readonly string[]): string {
  try {
    return JSON.stringify(withTexts(JSON.parse(json), (text) => hideSecrets(text, secrets)));
  } catch {
    return hideSecrets(json, secrets);
  }
}

/** Masks the secrets in an error: in its message, members, places and cause. Returns other errors unchanged. */
export function withoutSecrets(error: unknown, secrets: readonly string[]): unknown {
  if (!(error instanceof GatewayError) || secrets.length === 0) return error;
  const hide = (text: string): string => hideSecrets(text, secrets);
  const deep = <T>(value: T): T => withTexts(value, hide) as T;
  const { cause, grpcCode } = error;
  const options: GatewayErrorOptions = {
    errors: deep(error.errors),
    members: deep(error.members),
    headers: error.headers,
    ...(cause === undefined
      ? {}
      : { cause: new Error(hide(cause instanceof Error ? cause.message : String(cause))) }),
    ...(grpcCode === undefined ? {} : { grpcCode }),
  };
  return new GatewayError(error.code, hide(error.message), options);
}

/** Replaces every text in a JSON value. A secret may look like JSON itself. */
function withTexts(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === "string") return replace(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withTexts(item, replace));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withTexts(member, replace)]),
  );
}

/** Masks what a cut in the middle of a text has left of a secret: its beginning before the cut, its end behind it. */
function hideParts(text: string, secrets: readonly string[]): string {
  const [head = "", ...tails] = text.split(cutMark);
  if (tails.length === 0) return text;
  const cut = (length: (secret: string) => number): number => Math.max(0, ...secrets.map(length));
  return tails.reduce((before, behind) => {
    const end = before.length - cut((secret) => overlapOf(before, secret));
    const start = cut((secret) => overlapOf(secret, behind));
    const masked = `${before.slice(0, end)}${end < before.length ? mask : ""}`;
    return `${masked}${cutMark}${start > 0 ? mask : ""}${behind.slice(start)}`;
  }, head);
}

/** The length of the longest end of `one` that is a beginning of `other`, if it is long enough to tell something. */
function overlapOf(one: string, other: string): number {
  for (let length = Math.min(one.length, other.length); length >= minLength; length--)
    if (one.endsWith(other.slice(0, length))) return length;
  return 0;
}
