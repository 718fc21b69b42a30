/** Refusals without a request and a reply: for input that Node cannot parse or would drop without a response. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { owedResponse } from "./pending-responses.ts";
import { apiHeaders, problemMediaType, problemOf } from "./problems.ts";

/** Maximum length of the request line and all headers; fits a command of 256 KiB. */
export const maxHeaderBytes = 384 * 1024;
/** Always allowed; the rest of the budget is shared by the open connections. */
export const minHeaderBytes = 16 * 1024;

/**
 * Responds to errors of Node's parser: broken HTTP, headers too large, request too slow. A client that has not
 * completed the TLS handshake gets no response, because it could not read one.
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
        ? new GatewayError("request_timeout", "The request was not completed in time")
        : new GatewayError("invalid_request", "Cannot read the request: it is not valid HTTP/1.1"),
  );
}

/** How long a client may take to read a refusal and close its side. */
const lingerMs = 1000;

/** Writes a problem after all pending responses and closes the connection. */
export function refuse(socket: Socket, refusal: GatewayError): void {
  // Node does not handle errors of a connection that it no longer manages; unhandled, they would end the process.
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
  // Node may no longer manage the connection, so we must close it. Closing at once, with unread input, would reset the
  // connection and lose the response.
  const late = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.resume().once("close", () => clearTimeout(late));
}
