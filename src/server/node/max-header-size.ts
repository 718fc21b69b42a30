/** Header size limits per connection. See README.md. */
import type { Server } from "node:http";

/** Calls `limitBytes` for each new connection to get the header size limit of its requests. */
export function limitHeaders(server: Server, limitBytes: () => number): void {
  Object.defineProperty(server, "maxHeaderSize", { get: limitBytes });
}
