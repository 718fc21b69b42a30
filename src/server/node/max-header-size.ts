/** How long the headers of a request may be, by connection. See README.md. */
import type { Server } from "node:http";

/** Asks `limitBytes` for each new connection how long the headers of its requests may be. */
export function limitHeaders(server: Server, limitBytes: () => number): void {
  Object.defineProperty(server, "maxHeaderSize", { get: limitBytes });
}
