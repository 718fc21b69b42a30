/**
 * Checks responses against the published document: they contain nothing undocumented and lack nothing that is promised.
 * Requests may be invalid on purpose: error responses are checked too.
 */
import assert from "node:assert/strict";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import {
  type DocumentedHeader,
  type DocumentedResponse,
  operationsOf,
  type PlacedOperation,
  publishedDocument,
  type Schema,
} from "./openapi-document.ts";

/** A response, from any client. */
export interface Received {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  /** The body, or an empty string. */
  readonly text: string;
}

const document = publishedDocument();
const published = operationsOf(document);

/** Headers of the connection or of HTTP messages in general, which no API describes. */
const plumbing: ReadonlySet<string> = new Set([
  "cache-control",
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "transfer-encoding",
  "x-content-type-options",
]);

/** Statuses of failures before an operation is reached, and of bugs. `default` covers them. */
const anywhere: ReadonlySet<number> = new Set([408, 431, 500]);

/**
 * Checks the response to `method target` against the document. Ignores paths outside /v1. If the document has no such
 * operation, the response must be a problem.
 *
 * @throws {AssertionError} naming what the document or the response lacks.
 */
export function checkAnswer(method: string, target: string, answer: Received): void {
  const what = `${method} ${target} -> ${answer.status}`;
  const path = target.replace(/\?.*$/s, "");
  if (!/^\/v1(\/|$)/.test(path)) return;
  const found = operationAt(method, path);
  if (found === undefined) {
    assert.ok(answer.status >= 400, `${what}: the document has no such operation`);
    checkProblem(what, method, answer);
    return;
  }
  const { responses } = found;
  const stated = responses[answer.status];
  if (stated !== undefined) {
    const mediaTypes = found["x-crest-media-types"];
    if (answer.status === 200 && mediaTypes !== undefined)
      assert.ok(mediaTypes.includes(typeOf(answer)), `${what}: the document has ${mediaTypes}`);
    checkResponse(what, method, stated, answer);
    return;
  }
  const isForeseen = !anywhere.has(answer.status) && problemIn(answer)?.grpcCode === undefined;
  assert.ok(!isForeseen, `${what}: the document has only ${Object.keys(responses)} for it: ${answer.text}`);
  checkProblem(what, method, answer);
}

/** The media type of the body; empty without one. */
const typeOf = ({ headers }: Received): string => String(headers["content-type"] ?? "").replace(/;.*$/, "");

/** The operation that a request reaches. HEAD reaches the operation of GET. */
export function operationAt(method: string, path: string): PlacedOperation | undefined {
  const verb = method === "HEAD" ? "GET" : method;
  const here = published.filter((one) => one.method === verb && matcherOf(one.path).test(path));
  return here.find((one) => one.path === path) ?? here[0];
}

/** The values of server-sent events, without comments and errors. */
function eventData(text: string): readonly object[] {
  return text
    .split("\n\n")
    .filter((event) => event.startsWith("data: "))
    .map((event) => JSON.parse(event.slice("data: ".length)) as object);
}

/** Only image names contain slashes. An id may be empty, which is a mistake of the caller. */
function matcherOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace("{image}", ".*").replace(/\{\w+\}/g, "[^/]*")}$`, "s");
}

function checkProblem(what: string, method: string, answer: Received): void {
  const { Problem } = document.components.responses;
  assert.ok(Problem);
  // An unknown method or path is answered with headers of HTTP itself, and no operation documents them.
  const { allow: _allow, "www-authenticate": _scheme, ...headers } = answer.headers;
  checkResponse(what, method, Problem, { ...answer, headers });
}

function checkResponse(what: string, method: string, stated: DocumentedResponse, answer: Received): void {
  checkHeaders(what, stated, answer);
  if (method === "HEAD") {
    assert.equal(answer.text, "", what);
    return;
  }
  const type = typeOf(answer);
  const item = stated["x-crest-ndjson-item"];
  if (item !== undefined && type === "application/x-ndjson") {
    assert.ok(answer.text === "" || answer.text.endsWith("\n"), `${what}: the last line is not whole`);
    const failure = stated["x-crest-ndjson-failure"];
    for (const line of answer.text.split("\n").slice(0, -1)) {
      const value = JSON.parse(line) as object;
      checkValue(what, failure !== undefined && "failure" in value ? failure : item, value);
    }
    return;
  }
  if (item !== undefined && type === "text/event-stream") {
    for (const data of eventData(answer.text)) checkValue(what, item, data);
    return;
  }
  // Text of items, or one that is compressed, is not described by a schema.
  if (item !== undefined && type === "text/plain") return;
  const types = Object.keys(stated.content ?? {});
  if (types.length === 0) {
    assert.deepEqual([answer.text, type], ["", ""], `${what}: the document has no body for it`);
    return;
  }
  const media = stated.content?.[type];
  assert.ok(media, `${what}: the document has ${types} for it, not "${type}"`);
  const value: unknown = JSON.parse(answer.text);
  checkValue(what, media.schema, value);
  if (type !== "application/problem+json") {
    // Pages support conditional requests; streams of lines do not.
    const isPage = stated.headers?.ETag !== undefined;
    assert.equal("etag" in answer.headers, isPage, `${what}: ETag`);
    return;
  }
  const codes = codesOf(stated);
  const { code } = value as { readonly code: string };
  assert.ok(
    codes.length === 0 || codes.includes(code),
    `${what}: the document has the codes ${codes}, not ${answer.text}`,
  );
}

/** Parses the codes from a response's description: "Its `code`: `conflict`, `name_reserved`." */
function codesOf({ description = "" }: DocumentedResponse): readonly string[] {
  const list = /Its `code`: (.*)\.$/.exec(description)?.[1] ?? "";
  return Array.from(list.matchAll(/`(\w+)`/g), ([, code = ""]) => code);
}

function checkHeaders(what: string, stated: DocumentedResponse, { headers }: Received): void {
  const described = new Map<string, DocumentedHeader>();
  for (const [name, header] of Object.entries(stated.headers ?? {})) {
    const component = header.$ref?.replace(/^.*\//, "");
    const said = component === undefined ? header : document.components.headers[component];
    assert.ok(said, component);
    described.set(name.toLowerCase(), said);
  }
  for (const [name, { required = false, schema = {} }] of described) {
    const value = headers[name];
    assert.ok(value !== undefined || !required, `${what}: the header ${name} is missing`);
    // A header that occurs more than once is a list (RFC 9110, section 5.3).
    if (value !== undefined) checkValue(`${what}, header ${name}`, schema, [value].flat().join(", "));
  }
  const others = Object.keys(headers).filter((name) => !described.has(name) && !plumbing.has(name));
  assert.deepEqual(others, [], `${what}: the document does not have these headers`);
}

function problemIn({ headers, text }: Received): { readonly grpcCode?: string } | undefined {
  const type = String(headers["content-type"] ?? "");
  return /^application\/problem\+json/.test(type) ? JSON.parse(text) : undefined;
}

// ---- Schemas ----

/**
 * Rejects members that the schema of an object does not list. The published response schemas are open, so that later
 * gateways can add members; the gateway under test may only use published ones.
 */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isObject = copy.type === "object" && copy.properties !== undefined;
  return isObject ? { additionalProperties: false, ...copy } : copy;
}

const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  formats: {
    int32: { type: "number", validate: (value) => Number.isInteger(value) && value === (value | 0) },
    // On integers: unsigned 32 bits, bounded by the schema. On strings: decimal digits of 64 bits.
    int64: (text) => BigInt(text) === BigInt.asIntN(64, BigInt(text)),
    uint64: (text) => BigInt(text) === BigInt.asUintN(64, BigInt(text)),
    byte: (text) => Buffer.from(text, "base64").toString("base64") === text,
    double: { type: "number", validate: Number.isFinite },
    "uri-reference": (text) => URL.canParse(text, "http://localhost"),
  },
});
ajv.addSchema({ $id: "crest", components: closed(document.components) as object });
const compiled = new Map<string, ValidateFunction>();

/** Checks a value strictly against a schema of the document. */
export function checkValue(what: string, schema: Schema, value: unknown): void {
  const text = JSON.stringify(closed(schema)).replaceAll('"#/components/', '"crest#/components/');
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text));
  compiled.set(text, validate);
  if (validate(value)) return;
  const places = (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || "/"} ${message} ${JSON.stringify(params)}`,
  );
  assert.fail(`${what}: not as the document has it: ${places.join("; ")}\n${JSON.stringify(value)}`);
}
