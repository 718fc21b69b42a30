/** Responses whose connection is no longer theirs. See README.md. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Ends a response whose connection has closed before its turn came. It emits `close`, as every other response does. */
export function closeQueued(response: ServerResponse): void {
  // One that has a socket is told by Node.
  if (response.socket !== null) return;
  response.destroy();
  response.emit("close");
}

/** Separates a response from a connection that speaks another protocol now. Otherwise both live equally long. */
export function detachResponse(response: ServerResponse, socket: Socket): void {
  if (response.socket === socket) response.detachSocket(socket);
}
