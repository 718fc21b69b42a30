/**
 * Turns a request's path, query and body into the JSON form of the RPC's request message.
 *
 * Compiled once per route. This module only puts values in place; the encoder validates them, and `locate` maps the
 * encoder's pointers back to where the caller wrote the values.
 */

import { enumNames, fieldAt, fieldsOf, spellingsIn } from "../cri/codec.ts";
import { type FieldError, GatewayError } from "../errors.ts";
import { methods } from "../gen/methods.ts";
import type { Route } from "../routes/define.ts";
import type { GatewayParam, GatewayParamValues } from "../routes/parameters.ts";
import type { Field } from "../wire/descriptor.ts";
import { parseJson } from "../wire/parse-json.ts";
import { ParsedBody } from "./bodies.ts";
import { suggestParameter } from "./suggest-parameter.ts";
import { type UnknownFields, unknownFieldsOf } from "./unknown-fields.ts";

export interface Parts {
  readonly params: { readonly [name: string]: string };
  /** Parsed query. A repeated name holds a list. */
  readonly query: { readonly [name: string]: string | readonly string[] | undefined };
  /** The body's bytes, or its value if already parsed. Empty or undefined without a body. */
  readonly body: Uint8Array | ParsedBody | undefined;
}

/** A JSON object. */
export type JsonObject = { [key: string]: unknown };

export interface Bound {
  /** The request message as JSON, in the caller's spelling. */
  readonly message: JsonObject;
  /** The body of a custom route that takes one. */
  readonly body?: JsonObject;
  /** The gateway's own parameters. */
  readonly gatewayParams: GatewayParamValues;
  /** The names in the route's `fieldGrants` that this request uses. */
  readonly given: readonly string[];
  /** Collects the body's unknown fields; undefined if they are refused. */
  readonly unknown: UnknownFields | undefined;
}

export interface Binder {
  /** @throws {GatewayError} invalid_request, invalid_json: with the location of each mistake. */
  bind(parts: Parts): Bound;
  /** Maps `pointer`, a location in the message, to where the caller wrote that value. */
  locate(pointer: string, detail: string): FieldError;
}

interface BoundField {
  readonly keys: readonly string[];
  readonly parse: (raw: unknown) => unknown;
}

/** Compiles the binder of `route`. `extra` names the query parameters that the route's kind reads itself. */
export function createBinder(route: Route, extra: readonly string[] = []): Binder {
  const rpc = "rpc" in route ? route.rpc : undefined;
  const requestName = rpc === undefined ? undefined : methods[rpc].request;
  const bindings = route.kind === "list" ? route.filters : route.query;
  const fieldOf = (path: string) => (requestName === undefined ? undefined : fieldAt(requestName, path));
  const compile = ([name, path]: [string, string]): [string, BoundField] => [
    name,
    { keys: path.split("."), parse: parserOf(fieldOf(path)) },
  ];
  const compileFilter = (entry: [string, string]): [string, BoundField] => {
    const [name, { keys, parse }] = compile(entry);
    return [name, { keys, parse: (raw) => parse(filled(raw)) }];
  };
  const inPath = Object.entries(route.path ?? {}).map(compile);
  const inQuery = new Map(
    Object.entries(bindings ?? {}).map(route.kind === "list" ? compileFilter : compile),
  );
  const own = Object.entries(route.gatewayParams ?? {});
  const known = new Set([...inQuery.keys(), ...own.map(([name]) => name), ...extra]);
  const body = route.kind === "unary" ? route.body : undefined;
  const takesObject = route.kind === "custom" && route.body === true;
  const spread = typeof body === "object" ? body.spread.split(".") : undefined;
  const parameterAt = new Map(
    [...inPath, ...inQuery].map(([name, field]) => [`/${field.keys.join("/")}`, name] as const),
  );
  /** The names that the body accepts at its top level. */
  const inBody = new Set(
    body === undefined || requestName === undefined
      ? []
      : [
          ...fieldsOf(requestName),
          ...(typeof body === "object" ? fieldsOf(fieldAt(requestName, body.spread).type) : []),
        ].flatMap(({ name, proto }) => [name, proto]),
  );
  // Request fields next to a spread field's members are accepted in either spelling.
  const beside = new Set(
    spread === undefined || requestName === undefined
      ? []
      : fieldsOf(requestName).flatMap((field) => (field.name === spread[0] ? [] : [field.name, field.proto])),
  );
  const setElsewhere = new Map(
    requestName === undefined
      ? []
      : fieldsOf(requestName).flatMap((field) => {
          const parameter = parameterAt.get(`/${field.name}`);
          return parameter === undefined
            ? []
            : [field.name, field.proto].map((key) => [key, parameter] as const);
        }),
  );

  function bodyMessage(sent: Parts["body"]): JsonObject {
    const given = readBody(sent);
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw invalid([{ pointer: "", detail: "must be a JSON object" }]);
    }
    const object = given as JsonObject;
    if (takesObject) return object;
    if (body === undefined) {
      const [key] = Object.keys(object);
      if (key !== undefined) throw invalid([{ pointer: pointerTo(key), detail: "this route takes no body" }]);
      return {};
    }
    const taken = Object.keys(object).filter((key) => setElsewhere.has(key));
    if (taken.length > 0) {
      throw invalid(
        taken.map((key) => ({
          pointer: pointerTo(key),
          detail: `is already set by the parameter ${setElsewhere.get(key)}: omit it from the body`,
        })),
      );
    }
    if (spread === undefined) return { ...object };
    const message: JsonObject = {};
    const inside: JsonObject = Object.create(null);
    for (const [key, value] of Object.entries(object)) {
      if (beside.has(key)) message[key] = value;
      else inside[key] = value;
    }
    put(message, spread, inside);
    return message;
  }

  return {
    bind({ params, query, body: sent }) {
      const errors: FieldError[] = [];
      const attempt = (name: string, work: () => void): void => {
        try {
          work();
        } catch (error) {
          if (!(error instanceof BadParameter)) throw error;
          errors.push({ parameter: name, detail: error.message });
        }
      };
      for (const name of Object.keys(query)) {
        if (known.has(name)) continue;
        const names = [...known].sort();
        const meant = inBody.has(name) ? "it belongs in the body" : suggestParameter(name, names, route.http);
        errors.push({
          parameter: name,
          detail: `unknown parameter${meant === undefined ? "" : ` (${meant})`}; this route has ${names.join(", ") || "none"}`,
        });
      }
      const whole = bodyMessage(sent);
      const message = takesObject ? {} : whole;
      // Before path and query are added: only the body has the caller's spelling.
      const spellings =
        body === undefined || requestName === undefined ? undefined : spellingsIn(requestName, message);
      const values: { [name: string]: string | number | boolean } = {};
      for (const [name, field] of inPath) {
        attempt(name, () => put(message, field.keys, field.parse(params[name] ?? params["*"] ?? "")));
        if ((params[name] ?? params["*"]) === "")
          errors.push({ parameter: name, detail: `must not be empty${withoutSlash(route)}` });
      }
      for (const [name, field] of inQuery) {
        const raw = query[name] ?? route.defaults?.[name];
        if (raw !== undefined) attempt(name, () => put(message, field.keys, field.parse(raw)));
      }
      for (const [name, parameter] of own) {
        attempt(name, () => {
          const value = query[name] === undefined ? parameter.default : parseOwn(parameter, query[name]);
          if (value !== undefined) values[name] = value;
        });
      }
      if (errors.length > 0) throw invalid(errors);
      const given = Object.keys(route.fieldGrants ?? {}).filter((name) =>
        name in values ? values[name] !== false : isGiven(message, inQuery.get(name)?.keys ?? [name]),
      );
      return {
        message,
        ...(takesObject ? { body: whole } : {}),
        gatewayParams: values,
        given,
        unknown: spellings && unknownFieldsOf(values.fieldValidation, spellings),
      };
    },

    locate(pointer, detail) {
      for (const [at, parameter] of parameterAt) {
        if (pointer === at || pointer.startsWith(`${at}/`)) return { parameter, detail };
      }
      const inside = spread === undefined ? undefined : `/${spread.join("/")}`;
      if (inside !== undefined && (pointer === inside || pointer.startsWith(`${inside}/`))) {
        return { pointer: pointer.slice(inside.length), detail };
      }
      return { pointer, detail };
    },
  };
}

function readBody(body: Parts["body"]): unknown {
  if (body instanceof ParsedBody) return body.value;
  return body === undefined || body.length === 0 ? {} : parseJson(body);
}

/** Rewrites a pointer from canonical names to the spelling that the caller used in `message`. */
export function respell(pointer: string, message: JsonObject): string {
  let at: unknown = message;
  const parts = pointer.split("/").map((part) => {
    const key = spellingIn(at, part);
    if (part !== "") at = (at as JsonObject | undefined)?.[key];
    return key;
  });
  return parts.join("/");
}

/** The name under which `object` sets a field; the canonical name if it does not. */
export function spellingIn(object: unknown, name: string): string {
  if (typeof object !== "object" || object === null) return name;
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const says = (key: string): boolean => ((object as JsonObject)[key] ?? undefined) !== undefined;
  return !says(name) && says(snake) ? snake : name;
}

/** The value at a path of canonical names, in either spelling. */
function memberOf(object: JsonObject, keys: readonly string[]): JsonObject | undefined {
  let at: unknown = object;
  for (const key of keys) at = (at as JsonObject | undefined)?.[spellingIn(at, key)];
  return at as JsonObject | undefined;
}

/** An `invalid_request` error whose message is its first mistake. */
export function invalid(errors: readonly FieldError[], cause?: unknown): GatewayError {
  const [first] = errors;
  const where = first?.parameter ?? (first?.pointer || "body");
  return new GatewayError("invalid_request", `Invalid ${where}: ${first?.detail}`, { errors, cause });
}

/** An empty id, as in `/v1/pods/`, is usually a stray trailing slash. */
function withoutSlash({ http }: Route): string {
  const [, list] = /^GET (.*)\/\{\w+\}$/.exec(http) ?? [];
  return list === undefined ? "" : `: to list all, use ${list} without the trailing slash`;
}

class BadParameter extends Error {}

const pointerTo = (key: string): string => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;

function put(target: JsonObject, keys: readonly string[], value: unknown): void {
  let at = target;
  for (const key of keys.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as JsonObject;
  }
  at[keys.at(-1) ?? ""] = value;
}

/** `verbose=false` asks for nothing, so it does not count as given. */
function isGiven(message: JsonObject, keys: readonly string[]): boolean {
  const value: unknown = memberOf(message, keys);
  return value !== undefined && value !== null && value !== false;
}

/** Parses path or query text into a field's JSON value: `running` to CONTAINER_RUNNING, `?verbose` to true. */
function parserOf(field: Field | undefined): (raw: unknown) => unknown {
  const once = (raw: unknown): string => {
    if (typeof raw !== "string") throw new BadParameter("must be given once");
    return raw;
  };
  if (field === undefined) return once;
  const one = (raw: unknown): unknown => {
    const text = once(raw);
    if (field.kind === "enum") return parseEnum(text, enumNames(field.type));
    if (field.type === "bool") return parseBoolean(text);
    if (/^u?int/.test(field.type))
      return field.type.endsWith("64") ? parseInteger(text) : Number(parseInteger(text));
    return text;
  };
  return field.repeated ? (raw) => (Array.isArray(raw) ? raw : [raw]).map(one) : one;
}

/** Rejects an empty filter. The runtime would ignore it, so a script's unset variable would select everything. */
function filled(raw: unknown): unknown {
  if (raw === "") throw new BadParameter("must not be empty, omit it to list all");
  return raw;
}

/** Accepts `CONTAINER_RUNNING` and its last part, `running`. */
function parseEnum(text: string, names: readonly string[]): string {
  const short = (name: string): string => name.slice(name.indexOf("_") + 1).toLowerCase();
  const found = names.find((name) => name === text || short(name) === text.toLowerCase());
  if (found === undefined)
    throw new BadParameter(`must be ${names.map(short).join(" or ")}, got ${quote(text)}`);
  return found;
}

/** The values of Go's strconv.ParseBool, for kubelet clients. A name without a value is true. */
const booleans: { readonly [text: string]: boolean } = {
  ...Object.fromEntries(["", "1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false])),
};

function parseBoolean(text: string): boolean {
  const value = Object.hasOwn(booleans, text) ? booleans[text] : undefined;
  if (value === undefined) throw new BadParameter(`must be true or false, got ${quote(text)}`);
  return value;
}

function parseInteger(text: string): string {
  if (!/^-?(0|[1-9][0-9]*)$/.test(text)) throw new BadParameter(`must be an integer, got ${quote(text)}`);
  return text;
}

function parseOwn(
  parameter: GatewayParam,
  raw: string | readonly string[] | undefined,
): string | number | boolean {
  if (typeof raw !== "string") throw new BadParameter("must be given once");
  if (parameter.type === "boolean") return parseBoolean(raw);
  if (parameter.minLength !== undefined) filled(raw);
  const value = parameter.type === "integer" ? Number(parseInteger(raw)) : raw;
  if (!parameter.check(value))
    throw new BadParameter(`must be ${expectedOf(parameter)}, got ${quoted(value)}`);
  return value;
}

function expectedOf({ words, minimum, maximum }: GatewayParam): string {
  if (words !== undefined) return words.join(" or ");
  return maximum === undefined ? `at least ${minimum}` : `from ${minimum ?? 0} to ${maximum}`;
}

const quoted = (value: string | number): string => (typeof value === "string" ? quote(value) : String(value));

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
