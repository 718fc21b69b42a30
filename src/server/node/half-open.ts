/** Clients that end their side before they have the response. See README.md. */
import type { Server } from "node:http";

/**
 * Keeps our side of a connection open when the client ends its own. The caller ends the connection: Node does so only
 * where a response is under way, behind it.
 */
export function keepHalfOpen(server: Server): void {
  Object.assign(server, { httpAllowHalfOpen: true });
}
