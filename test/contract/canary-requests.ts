/**
 * Requests with a word of their own in every field, made from the route table and the descriptors of CRI, so that
 * whoever finds a word knows which field it came from.
 */
import { requestRules } from "../../src/cri/request-rules.ts";
import { methods } from "../../src/gen/methods.ts";
import type { Route, UnaryRoute } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import type { Field } from "../../src/wire/descriptor.ts";
import { breaks } from "../../src/wire/field-rule.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import { asBody, caseOf } from "./table-cases.ts";
import { fieldAt, fieldsOf, keepRules, type Message } from "./table-messages.ts";

/** Where a word was put: `KeyValue.value`, `ExecSyncRequest.cmd[1]`, `path of getPod`, `header user-agent`. */
export type Place = string;

export interface Canaries {
  /** A new word for a place. */
  at(place: Place): string;
  /** The places whose words a text contains. */
  in(text: string): ReadonlySet<Place>;
}

const word = /c4n[0-9]{6}ry/gi;

export function createCanaries(): Canaries {
  const places: Place[] = [];
  return {
    at(place) {
      places.push(place);
      return `c4n${String(places.length - 1).padStart(6, "0")}ry`;
    },
    in(text) {
      const found = text.match(word) ?? [];
      return new Set(found.flatMap((one) => places[Number(one.slice(3, 9))] ?? []));
    },
  };
}

export interface CanaryRequest {
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  readonly json: object | undefined;
}

/** Forms in which a word may be valid, the likeliest first. */
function formsOf({ name }: Field, canary: string): readonly string[] {
  const isPath = /(path|directory|location|parent)$/i.test(name);
  const plain = [canary, `/${canary}`];
  return [...(isPath ? plain.toReversed() : plain), Buffer.from(`user:${canary}`).toString("base64")];
}

const isText = ({ kind, type }: Field): boolean => kind === "scalar" && /^(string|bytes)$/.test(type);

/** A message with a word in every text: in a form that its rules take, or else without it. */
function messageWith(name: string, canaries: Canaries, wanted: (field: Field) => boolean): Message {
  const textAt = (field: Field, place: Place): string => {
    const canary = canaries.at(place);
    const rule = requestRules[name]?.[field.name];
    const valid = formsOf(field, canary).find(
      (text) => rule === undefined || breaks(rule, field.name, { [field.name]: text }) === undefined,
    );
    const isPlainBytes = field.type === "bytes" && !("text" in field && field.text);
    return isPlainBytes ? Buffer.from(canary).toString("base64") : (valid ?? canary);
  };
  const message: Message = {};
  for (const field of fieldsOf(name)) {
    const place = `${name}.${field.name}`;
    if (field.kind === "message" && !field.map) {
      const inner = messageWith(field.type, canaries, wanted);
      if (Object.keys(inner).length > 0) message[field.name] = field.repeated ? [inner] : inner;
    } else if (isText(field) && wanted(field)) {
      message[field.name] = field.map
        ? { [canaries.at(`${place} key`)]: textAt(field, place) }
        : field.repeated
          ? [textAt(field, `${place}[0]`), textAt(field, `${place}[1]`)]
          : textAt(field, place);
    }
  }
  return message;
}

/** The dotted paths of the secret fields of a message. */
function secretPaths(name: string): readonly string[] {
  return fieldsOf(name).flatMap((field) => {
    if (field.redact) return [field.name];
    if (field.kind !== "message" || field.map) return [];
    return secretPaths(field.type).map((path) => `${field.name}.${path}`);
  });
}

/** The value at a dotted path, through the first item of lists; everything beside it is left out. */
function only(message: Message, [head = "", ...rest]: readonly string[]): Message {
  const member = message[head];
  if (rest.length === 0) return member === undefined ? {} : { [head]: member };
  const [first] = Array.isArray(member) ? member : [member];
  if (first === undefined) return {};
  const inner = only(first as Message, rest);
  return { [head]: Array.isArray(member) ? [{ ...(first as Message), ...inner }] : inner };
}

/**
 * For each route: a request with all words, one for each of its secrets alone, one with words of a wrong type, and one
 * with words in its path and query, and one with those parameters alone that are texts.
 */
export function canaryRequests(fake: FakeRuntime, canaries: Canaries): readonly CanaryRequest[] {
  return routes.flatMap((route) => {
    const made = (json: object | undefined, query?: string): CanaryRequest => {
      const { method, path, query: usual, json: minimal } = caseOf(fake, route);
      return { route, method, path: `${path}${query ?? usual}`, json: json ?? minimal };
    };
    return [
      ...bodiesOf(route, canaries, fake).map((json) => made(json)),
      made(undefined, queryOf(route, canaries)),
      made(undefined, textsOfQuery(route, canaries)),
      pathOf(route, canaries),
    ];
  });
}

function bodiesOf(route: Route, canaries: Canaries, fake: FakeRuntime): readonly object[] {
  if (route.kind !== "unary" || route.body === undefined) return [];
  const { request } = methods[route.rpc];
  const bound = new Set(Object.values({ ...route.path, ...route.query }).map((path) => path.split(".")[0]));
  const whole = (): Message => {
    const message = messageWith(request, canaries, () => true);
    return Object.fromEntries(Object.entries(message).filter(([name]) => !bound.has(name)));
  };
  const body = (message: Message): object => asBody(route, message);
  const minimal = caseOf(fake, route).json ?? {};
  return [
    body(keepRules(request, whole())),
    body(whole()),
    ...secretPaths(request).map((path) => ({ ...minimal, ...body(only(whole(), path.split("."))) })),
    wrongTypes(route, canaries),
  ];
}

/** Words where numbers, switches, words of an enum and messages belong. */
function wrongTypes(route: UnaryRoute, canaries: Canaries): object {
  const wrong = (name: string): Message =>
    Object.fromEntries(
      fieldsOf(name).map((field) => {
        const place = `${name}.${field.name} of a wrong type`;
        if (field.kind === "message" && !field.map) return [field.name, canaries.at(place)];
        return [
          field.name,
          isText(field) ? { [canaries.at(place)]: canaries.at(place) } : canaries.at(place),
        ];
      }),
    );
  const { request } = methods[route.rpc];
  const inner = fieldsOf(request).flatMap((field) =>
    field.kind === "message" && !field.map && !field.repeated ? [[field.name, wrong(field.type)]] : [],
  );
  return {
    ...asBody(route, { ...wrong(request), ...Object.fromEntries(inner) }),
    unknownField: canaries.at("an unknown field"),
  };
}

function queryOf(route: Route, canaries: Canaries): string {
  const names = [
    ...Object.keys((route.kind === "list" ? route.filters : route.query) ?? {}),
    ...Object.keys(route.gatewayParams ?? {}),
    ...(route.kind === "list" ? ["labelSelector", "continue", "limit"] : []),
    "unknownParameter",
  ];
  const query = names.map((name) => `${name}=${canaries.at(`query ${name} of ${route.id}`)}`);
  return `?${query.join("&")}`;
}

/** Valid ones, so that they reach the runtime. */
function textsOfQuery(route: Route, canaries: Canaries): string {
  if (!("rpc" in route)) return "";
  const { request } = methods[route.rpc];
  const bindings = Object.entries((route.kind === "list" ? route.filters : route.query) ?? {});
  const texts = bindings.filter(([, path]) => fieldAt(request, path).type === "string").map(([name]) => name);
  const query = texts.map((name) => `${name}=${canaries.at(`query ${name} of ${route.id}`)}`);
  if (route.kind === "list" && route.labels !== undefined)
    query.push(`labelSelector=app=${canaries.at(`query labelSelector of ${route.id}`)}`);
  return query.length === 0 ? "" : `?${query.join("&")}`;
}

function pathOf(route: Route, canaries: Canaries): CanaryRequest {
  const [method = "", pattern = ""] = route.http.split(" ");
  const path = pattern.replace(/\{\w+\}/g, () => canaries.at("path"));
  return { route, method, path, json: undefined };
}
