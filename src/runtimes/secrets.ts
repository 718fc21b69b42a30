/**
 * Keeps what a caller sent in confidence out of errors.
 *
 * Runtimes and registries repeat what they were given: containerd quotes a registry password that it cannot read.
 * Such a text would be answered, and logged. So every redacted value of the request is masked in every text of an
 * error, in the forms that runtimes write it. A value that the same request also has in the open, as a part of an
 * image's name for one, is no secret.
 */

import { fieldsOf } from "../cri/codec.ts";
import { GatewayError, type GatewayErrorOptions } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { decodeBase64 } from "../wire/base64.ts";

/** Shorter ones are found in any text: masking them would garble it, and they protect nothing. */
const minLength = 4;
const mask = "[redacted]";

interface Texts {
  readonly secret: string[];
  readonly open: string[];
}

/** The texts of a message as the caller wrote it, right or wrong, by whether their field is redacted. */
function collect(message: string, value: unknown, texts: Texts): void {
  if (typeof value !== "object" || value === null) {
    // A text may stand for the whole message.
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
    // Of a command, the program is what an error is about; its arguments may be anything.
    const openItems = !field.redact ? items.length : field.name === "cmd" ? 1 : 0;
    texts.open.push(...items.slice(0, openItems).flatMap(textsIn));
    texts.secret.push(...items.slice(openItems).flatMap(textsIn));
  }
}

/** All texts in a JSON value. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.entries(value).flat().flatMap(textsIn) : [];
}

/** What is to be masked in errors about a request, the longest first. */
export function secretsIn(rpc: Rpc, request: object): readonly string[] {
  const texts: Texts = { secret: [], open: [] };
  collect(methods[rpc].request, request, texts);
  const values = texts.secret.flatMap((text) => [text, ...decoded(text)]);
  const secret = values.filter(
    (text) => text.length >= minLength && !texts.open.some((open) => open.includes(text)),
  );
  return [...new Set(secret.flatMap(formsOf))].sort((a, b) => b.length - a.length);
}

/** What a runtime reads of credentials in base64: `USER:PASSWORD`, and the password alone. */
function decoded(text: string): readonly string[] {
  const credentials = decodeBase64(text)?.toString("utf8") ?? "";
  return credentials === "" ? [] : [credentials, credentials.slice(credentials.indexOf(":") + 1)];
}

/** How a value is written in a text: as it is, quoted by Go (strconv.Quote), in JSON, in a URL, in base64. */
function formsOf(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const go = json.replace(/\\u00([0-9a-f]{2})/g, "\\x$1");
  const bytes = Buffer.from(text);
  // From bytes: a lone surrogate, which only a body that is refused has, cannot be in a URL.
  return [text, json, go, encodeURIComponent(bytes.toString("utf8")), bytes.toString("base64")];
}

/** The error without the secrets: in its message, its members, its places and its causes. Others stay as they are. */
export function withoutSecrets(error: unknown, secrets: readonly string[]): unknown {
  if (!(error instanceof GatewayError) || secrets.length === 0) return error;
  const hide = (text: string): string => secrets.reduce((all, one) => all.replaceAll(one, mask), text);
  const deep = <T>(value: T): T => JSON.parse(hide(JSON.stringify(value))) as T;
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
