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
 * The host that the client addressed: from `target` if it is absolute, otherwise from `Host`.
 *
 * @throws {GatewayError} invalid_request: when there is more than one `Host`, or none with HTTP/1.1 (RFC 9112, 3.2).
 */
export function hostOf(
  { rawHeaders, headers, httpVersion }: IncomingMessage,
  target: string,
): string | undefined {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === "host") hosts++;
  }
  if (hosts > 1) throw refusal("The request has more than one Host");
  if (hosts === 0 && httpVersion === "1.1") throw refusal("The request has no Host");
  return target.startsWith("/") ? headers.host : (absoluteForm.exec(target)?.[1] ?? headers.host);
}

/**
 * Refuses bodies with a transfer or content coding that the gateway cannot decode.
 *
 * @throws {GatewayError} invalid_request: for a transfer coding other than `chunked`.
 * @throws {GatewayError} unsupported_media_type: for a content coding.
 */
export function checkCodings({ headers }: IncomingMessage): void {
  const transfer = headers["transfer-encoding"];
  if (transfer !== undefined && transfer.toLowerCase() !== "chunked")
    throw refusal(`Transfer-Encoding "${transfer}" is not supported: send chunked, or Content-Length`);
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
