/** How many bytes a response had. */
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { RequestRecord } from "../server/request-record.ts";

/** What the connection has sent since the request came. */
export function sentSince(socket: Socket, { sentBefore }: RequestRecord): number | undefined {
  return socket.bytesWritten === undefined ? undefined : socket.bytesWritten - sentBefore;
}

/** The length of the body; what the connection has sent where the body has none, or was cut off. */
export function bytesOf(
  request: FastifyRequest,
  reply: FastifyReply,
  record: RequestRecord,
): number | undefined {
  const { raw } = reply;
  if (!raw.writableFinished || record.isOpen) return sentSince(request.raw.socket, record);
  if (request.method === "HEAD" || raw.statusCode === 204 || raw.statusCode === 304) return 0;
  const length = reply.getHeader("content-length");
  return length === undefined ? sentSince(request.raw.socket, record) : Number(length);
}
