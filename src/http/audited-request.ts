/** Describes a request for the audit log: who, from where, what on what. */
import { randomUUID } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { routerPath } from "../api/router-path.ts";
import type { AuditedRequest, AuditObject } from "../audit/event.ts";
import { fieldAt } from "../cri/codec.ts";
import { methods } from "../gen/methods.ts";
import { isSession, type Route } from "../routes/define.ts";
import { pathOf } from "../server/problems.ts";
import type { LoggedConfig } from "./request-log.ts";

const maxPathLength = 1024;
const maxNameLength = 512;
const maxUserAgentLength = 256;

/** `known`: what the stages found out about the object. */
export function describeRequest(
  request: FastifyRequest,
  receivedAtMs: number,
  known: Partial<AuditObject> = {},
): AuditedRequest {
  const { logged } = request.routeOptions.config as LoggedConfig;
  const { remoteAddress } = request.raw.socket;
  return {
    // A caller may send the same X-Request-Id twice.
    auditID: randomUUID(),
    requestURI: pathOf(request.url).slice(0, maxPathLength) + openQuery(request, logged),
    verb: verbOf(request.method, logged),
    user: { username: request.caller?.name },
    sourceIPs: remoteAddress === undefined ? undefined : [remoteAddress.replace(/^::ffff:/, "")],
    userAgent: request.headers["user-agent"]?.slice(0, maxUserAgentLength),
    objectRef: logged === undefined ? undefined : objectOf(logged, request, known),
    receivedAtMs,
    annotations: { "request.crest/id": request.id },
  };
}

/** The verb of Kubernetes for it. What opens a session creates it, as there. */
function verbOf(method: string, route: Route | undefined): string {
  switch (method) {
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "GET":
    case "HEAD":
      return verbOfRead(route);
    default:
      return method.toLowerCase();
  }
}

const verbOfRead = (route: Route | undefined): string =>
  route !== undefined && isSession(route)
    ? "create"
    : route?.kind === "list"
      ? "list"
      : route?.kind === "stream"
        ? "watch"
        : "get";

/** `/v1/pods/{podSandboxId}/exec`: resource `pods`, subresource `exec`. */
function objectOf({ http }: Route, { params }: FastifyRequest, known: Partial<AuditObject>): AuditObject {
  const path = http.slice(http.indexOf(" ") + 1);
  const [resource = "", ...rest] = path.split("/").slice(2);
  const isParameter = (part: string): boolean => part.startsWith("{");
  const subresource = rest.filter((part) => !isParameter(part)).join("/");
  const given = Object.values(params as { readonly [name: string]: string })[0]?.slice(0, maxNameLength);
  const isNamed = routerPath(path).endsWith("*");
  return {
    resource,
    subresource: subresource === "" ? undefined : subresource,
    namespace: known.namespace,
    name: known.name?.slice(0, maxNameLength) ?? (isNamed ? given : undefined),
    uid: known.uid ?? (isNamed ? undefined : given),
  };
}

/**
 * Of the query, the parameters of the route that are switches, numbers or fixed words, such as the ports of a forward.
 * Others may hold anything: the words of a command.
 */
function openQuery({ query }: FastifyRequest, route: Route | undefined): string {
  const open = route === undefined ? undefined : openParametersOf(route);
  if (open === undefined || open.size === 0) return "";
  const kept = Object.entries(query as { readonly [name: string]: unknown }).flatMap(([name, values]) =>
    [values]
      .flat()
      .flatMap((value) => (typeof value === "string" && open.get(name)?.(value) ? [`${name}=${value}`] : [])),
  );
  return kept.length === 0 ? "" : `?${kept.join("&")}`;
}

type IsOpen = (value: string) => boolean;
const isSwitch: IsOpen = (value) => /^(true|false)?$/.test(value);
const isNumber: IsOpen = (value) => /^[0-9]{1,19}$/.test(value);
const checksOfRoutes = new WeakMap<Route, ReadonlyMap<string, IsOpen>>();

/** The parameters whose values are recorded, with what they must look like. */
function openParametersOf(route: Route): ReadonlyMap<string, IsOpen> {
  const known = checksOfRoutes.get(route);
  if (known !== undefined) return known;
  const checks = new Map<string, IsOpen>();
  const request = "rpc" in route ? methods[route.rpc].request : "";
  for (const [name, path] of Object.entries((route.kind === "list" ? route.filters : route.query) ?? {})) {
    const { type, redact } = fieldAt(request, path);
    if (redact !== true && type === "bool") checks.set(name, isSwitch);
    if (redact !== true && /^u?int/.test(type)) checks.set(name, isNumber);
  }
  for (const [name, { type, words }] of Object.entries(route.gatewayParams ?? {})) {
    if (type === "boolean") checks.set(name, isSwitch);
    if (type === "integer") checks.set(name, isNumber);
    if (words !== undefined) checks.set(name, (value) => words.some((word) => word === value));
  }
  checksOfRoutes.set(route, checks);
  return checks;
}
