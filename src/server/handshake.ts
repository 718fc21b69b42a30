/** Recognizes WebSocket and SPDY handshakes by their `Upgrade` header. */
import type { IncomingMessage } from "node:http";

/** Whether a request asks for a WebSocket. */
export function isHandshake({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Whether a request asks for SPDY, which kubectl uses for sessions without WebSockets. */
export function asksForSpdy({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase().startsWith("spdy/") === true;
}
