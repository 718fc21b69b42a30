/** Clients that end their side before they have received the response. See README.md. */
import type { Server } from "node:http";

/**
 * Keeps our side of a connection open when the client ends its side. The caller must close the connection: Node does so
 * only after a response in progress.
 */
export function keepHalfOpen(server: Server): void {
  Object.assign(server, { httpAllowHalfOpen: true });
}
