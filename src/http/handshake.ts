/** WebSocket handshakes, told from other upgrades by their header alone. */
import type { IncomingMessage } from "node:http";

/** Whether a request asks for a WebSocket. */
export function isHandshake({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}
