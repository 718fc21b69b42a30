/**
 * Which answers a connection still owes. Requests may be pipelined, so that there can be several; what is
 * written past Fastify must not overtake them.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

const newest = new WeakMap<Socket, ServerResponse>();
/** An answer that was still owed when the next request of its connection came. */
const before = new WeakMap<ServerResponse, ServerResponse>();

/** Notes that a request has come: `response` will be its answer. */
export function noteAnswer(socket: Socket, response: ServerResponse): void {
  const previous = newest.get(socket);
  if (previous !== undefined && !previous.writableFinished) before.set(response, previous);
  newest.set(socket, response);
}

/** The last answer that is owed to a request which has come in whole; undefined when there is none. */
export function owedAnswer(socket: Socket): ServerResponse | undefined {
  let response = newest.get(socket);
  if (response !== undefined && !response.req.complete) response = before.get(response);
  return response === undefined || response.writableFinished || response.destroyed ? undefined : response;
}

/** The connection speaks no HTTP any more. Kept, its last request and answer would live as long as it does. */
export function forgetAnswer(socket: Socket): void {
  newest.get(socket)?.detachSocket(socket);
  newest.delete(socket);
}
