/** Recognizes WebSocket and SPDY handshakes by their `Upgrade` header. */
import type { IncomingMessage } from "node:http";

/** Whether a request asks for a WebSocket. With HTTP/1.0, `Upgrade` means nothing (RFC 9110, 7.8). */
export function isHandshake({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket" && httpVersion === "1.1";
}

/** Whether a request asks for SPDY, which kubectl uses for sessions without WebSockets. */
export function asksForSpdy({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase().startsWith("spdy/") === true;
}
