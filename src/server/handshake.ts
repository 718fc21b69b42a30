/** WebSocket handshakes, told from other upgrades by their header alone. */
import type { IncomingMessage } from "node:http";

/** Whether a request asks for a WebSocket. */
export function isHandshake({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Whether a request asks for SPDY, as kubectl does for its sessions without WebSockets. */
export function asksForSpdy({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase().startsWith("spdy/") === true;
}
