/**
 * Keeps a caller's secrets out of errors.
 *
 * Runtimes and registries repeat their input: containerd quotes a registry password that it cannot parse. Such a text
 * would be returned and logged. So every redacted value of the request is masked in every text of an error, in the
 * forms in which runtimes write it. A value that the same request also contains in the open, for example as part of an
 * image name, is not a secret.
 */

import { fieldsOf } from "../cri/codec.ts";
import { GatewayError, type GatewayErrorOptions } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { decodeBase64 } from "../wire/base64.ts";

/** Shorter values occur in any text: masking them would garble it, and they protect nothing. */
const minLength = 4;
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
    // An error about a command names its program; the arguments may be anything.
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

/** Masks the secrets in an error: in its message, members, places and cause. Returns other errors unchanged. */
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
