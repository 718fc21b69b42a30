/** Responses that have lost their connection. See README.md. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Ends a queued response whose connection has closed. It emits `close`, like any other response. */
export function closeQueued(response: ServerResponse): void {
  // Node notifies a response that has a socket.
  if (response.socket !== null) return;
  response.destroy();
  response.emit("close");
}

/**
 * Detaches a response from a connection that now speaks another protocol. Otherwise it would stay in memory as long as
 * the connection.
 */
export function detachResponse(response: ServerResponse, socket: Socket): void {
  if (response.socket === socket) response.detachSocket(socket);
}
