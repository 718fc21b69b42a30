/** Refusals without a request and a reply: what Node itself cannot read, or would end without a word. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { owedResponse } from "./pending-responses.ts";
import { apiHeaders, problemMediaType, problemOf } from "./problems.ts";

/** A request line with all headers may be as long as this, with a command of 256 KiB in it. */
export const maxHeaderBytes = 384 * 1024;
/** What is always taken; the rest is shared by the connections that are open. */
export const minHeaderBytes = 16 * 1024;

/**
 * Answers what Node's parser stumbled over: broken HTTP, headers too large, too slow. Whoever has not come
 * through a TLS handshake could not read an answer.
 */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!/^(HPE|ERR_HTTP)_/.test(error.code ?? "") || !socket.writable) {
    socket.destroy();
    return;
  }
  refuse(
    socket,
    error.code === "HPE_HEADER_OVERFLOW"
      ? new GatewayError(
          "headers_too_large",
          `The URL and the headers are too long: at most ${maxHeaderBytes} bytes, and ${minHeaderBytes} while very many connections are open`,
        )
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? new GatewayError("request_timeout", "The request was not complete in time")
        : new GatewayError("invalid_request", "Cannot read the request: it is not valid HTTP/1.1"),
  );
}

/** How long a client has to read a refusal and to end its side. */
const lingerMs = 1000;

/** Writes a problem behind the answers that are still owed, and ends the connection. */
export function refuse(socket: Socket, refusal: GatewayError): void {
  // Node does not listen for the error of a connection that it lets go of, and would end the process with it.
  socket.on("error", () => socket.destroy());
  const owed = owedResponse(socket);
  if (owed !== undefined) {
    owed.once("finish", () => refuse(socket, refusal));
    return;
  }
  if (!socket.writable) return;
  const id = randomUUID();
  const body = JSON.stringify(problemOf(refusal, { requestId: id }));
  const headers = {
    ...apiHeaders,
    ...refusal.headers,
    "content-type": problemMediaType,
    "content-length": Buffer.byteLength(body),
    "x-request-id": id,
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ""}\r\n${lines.join("")}\r\n${body}`,
  );
  // Node may have let go of the connection: nobody else would end it. Closed at once, with something unread, it
  // would be reset, and the answer lost.
  const late = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.resume().once("close", () => clearTimeout(late));
}
