/** Requests with an unknown `Expect`. See README.md. */
import type { Server } from "node:http";

/** Ignores any `Expect` other than `100-continue`, which RFC 9110, 10.1.1 allows. */
export function ignoreExpectations(server: Server): void {
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
}
