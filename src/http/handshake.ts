/** WebSocket handshakes, told from other upgrades by their header alone. */
import type { IncomingMessage } from "node:http";

/** Whether a request asks for a WebSocket. */
export function isHandshake({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Whether Node has let go of its connection, to which only a WebSocket's server listens from then on. */
export function isUpgraded(request: IncomingMessage & { readonly upgrade?: boolean }): boolean {
  return request.upgrade === true;
}

/** Whether a request asks for SPDY, as kubectl does for its sessions without WebSockets. */
export function asksForSpdy({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase().startsWith("spdy/") === true;
}
