/** Checks HTTP/1.1 rules that neither Node nor the router enforces, before any other processing of a request. */
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";
import { isHandshake } from "./handshake.ts";
import { pathOf } from "./problems.ts";

/** A request target in absolute form, as sent to a proxy. */
const absoluteForm = /^https?:\/\/([^/?#]*)/i;

/** `http://localhost:8585/v1/pods` -> `/v1/pods` (RFC 9112, 3.2.2). Other targets are returned unchanged. */
export function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const rest = url.replace(absoluteForm, "");
  return rest.startsWith("?") || rest === "" ? `/${rest}` : rest;
}

/**
 * Headers that say for whom and for where a request is, by lower-case name: of two, another server might believe the
 * other one.
 */
const single: ReadonlyMap<string, string> = new Map([
  ["host", "Host"],
  ["authorization", "Authorization"],
]);

/**
 * The hosts that the client addressed: that of `target` if it is absolute, and that of `Host`. All must be accepted.
 *
 * @throws {GatewayError} invalid_request: when there is more than one `Host` or `Authorization`, or no `Host` with
 * HTTP/1.1 (RFC 9112, 3.2).
 */
export function hostsOf(
  { rawHeaders, headers, httpVersion }: IncomingMessage,
  target: string,
): readonly (string | undefined)[] {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = single.get(rawHeaders[i]?.toLowerCase() ?? "");
    if (name === undefined) continue;
    if (seen.has(name)) throw refusal(`The request has more than one ${name}`);
    seen.add(name);
  }
  if (!seen.has("Host") && httpVersion === "1.1") throw refusal("The request has no Host");
  const authority = target.startsWith("/") ? undefined : absoluteForm.exec(target)?.[1];
  if (authority === undefined) return [headers.host];
  return headers.host === undefined ? [authority] : [authority, headers.host];
}

/** Maximum number of headers. Their length has a limit of its own: see raw-response.ts. */
export const maxHeaders = 1000;

/**
 * Why it is uncertain where the request ends, so that whatever follows it may have been meant as a part of it;
 * undefined if it is certain. What Node's parser refuses never gets here.
 */
export function framingFault({
  rawHeaders,
  headers,
  httpVersion,
}: IncomingMessage): GatewayError | undefined {
  // Node keeps only some of them, so that what another server goes by may be missing.
  if (rawHeaders.length > 2 * maxHeaders)
    return new GatewayError("headers_too_large", `The request has more than ${maxHeaders} headers`);
  if (httpVersion !== "1.1" && httpVersion !== "1.0")
    return refusal(`HTTP/${httpVersion} is not supported: send HTTP/1.1`);
  const transfer = headers["transfer-encoding"];
  if (transfer === undefined) return undefined;
  if (httpVersion === "1.0")
    return refusal("HTTP/1.0 has no Transfer-Encoding: send Content-Length, or HTTP/1.1");
  if (transfer.toLowerCase() === "chunked") return undefined;
  return refusal(`Transfer-Encoding "${transfer}" is not supported: send chunked, or Content-Length`);
}

/**
 * Refuses requests whose end is uncertain.
 *
 * @throws {GatewayError} invalid_request, headers_too_large: see `framingFault`.
 */
export function checkFraming(request: IncomingMessage): void {
  const fault = framingFault(request);
  if (fault !== undefined) throw fault;
}

/**
 * Refuses bodies with a content coding.
 *
 * @throws {GatewayError} unsupported_media_type
 */
export function checkCoding({ headers }: IncomingMessage): void {
  const content = headers["content-encoding"];
  if (content !== undefined && content.toLowerCase() !== "identity")
    throw new GatewayError(
      "unsupported_media_type",
      `Content-Encoding "${content}" is not supported: send the body without it`,
    );
}

/**
 * Refuses query strings with percent-escapes that are not UTF-8, which the router would pass on undecoded.
 *
 * @throws {GatewayError} invalid_request
 */
export function checkQuery(url: string): void {
  const start = url.indexOf("?");
  if (start === -1 || !url.includes("%", start)) return;
  try {
    decodeURIComponent(url.slice(start));
  } catch {
    throw refusal(`The query of ${pathOf(url)} has an escape that is not UTF-8`);
  }
}

/**
 * Refuses a WebSocket handshake on a route that is not a WebSocket, because its client could not use the response.
 * Other upgrades are ignored, as RFC 9110, 7.8 allows: Java's HttpClient and `curl --http2` offer h2c.
 *
 * @throws {GatewayError} invalid_request
 */
export function refuseHandshake(request: IncomingMessage): void {
  if (!isHandshake(request)) return;
  throw refusal(`${pathOf(request.url ?? "")} is not a WebSocket: send the request without Upgrade`);
}

function refusal(message: string): GatewayError {
  return new GatewayError("invalid_request", message);
}
