/** Requests with an `Expect` that nobody knows. See README.md. */
import type { Server } from "node:http";

/** Handles a request with any other `Expect` than `100-continue` as if it had none, which RFC 9110, 10.1.1 allows. */
export function ignoreExpectations(server: Server): void {
  server.on("checkExpectation", (request, response) => server.emit("request", request, response));
}
