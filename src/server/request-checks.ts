/**
 * Rules of HTTP/1.1 that neither Node nor the router keeps, checked for every request before anything else
 * looks at it.
 */
import type { IncomingMessage } from "node:http";
import { GatewayError } from "../errors.ts";
import { isHandshake } from "./handshake.ts";
import { pathOf } from "./problems.ts";

/** A target as clients write it to a proxy, with its authority. */
const absoluteForm = /^https?:\/\/([^/?#]*)/i;

/** `http://localhost:8585/v1/pods` -> `/v1/pods` (RFC 9112, 3.2.2); other targets are left as they are. */
export function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const rest = url.replace(absoluteForm, "");
  return rest.startsWith("?") || rest === "" ? `/${rest}` : rest;
}

/**
 * The name that the client called the gateway by: of `target` when that is absolute, else of `Host`.
 *
 * @throws {GatewayError} `invalid_request` when HTTP/1.1 has none, or there is more than one (RFC 9112, 3.2).
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
 * Refuses bodies that come in a coding which nobody here takes off.
 *
 * @throws {GatewayError} `invalid_request`, `unsupported_media_type`.
 */
export function checkCodings({ headers }: IncomingMessage): void {
  const transfer = headers["transfer-encoding"];
  if (transfer !== undefined && transfer.toLowerCase() !== "chunked")
    throw refusal(`Transfer-Encoding "${transfer}" is not taken: send chunked, or Content-Length`);
  const content = headers["content-encoding"];
  if (content !== undefined && content.toLowerCase() !== "identity")
    throw new GatewayError(
      "unsupported_media_type",
      `Content-Encoding "${content}" is not taken: send the body as it is`,
    );
}

/** Refuses escapes of a query that are not UTF-8, which the router would leave as they stand. */
export function checkQuery(url: string): void {
  const start = url.indexOf("?");
  if (start === -1 || !url.includes("%", start)) return;
  try {
    decodeURIComponent(url.slice(start));
  } catch {
    throw refusal(`The query of ${pathOf(url)} holds an escape that is not UTF-8`);
  }
}

/**
 * Refuses a WebSocket handshake to a route that is none: its client could do nothing with the answer.
 * Other upgrades are ignored, as RFC 9110, 7.8 allows: Java's HttpClient and `curl --http2` offer h2c.
 */
export function refuseHandshake(request: IncomingMessage): void {
  if (!isHandshake(request)) return;
  throw refusal(`${pathOf(request.url ?? "")} is not a WebSocket: send the request without Upgrade`);
}

function refusal(message: string): GatewayError {
  return new GatewayError("invalid_request", message);
}
