/**
 * Clients that end their side of the connection after the request. Some still wait for the response, but most have
 * left. TCP cannot tell the two apart until something is written.
 *
 * A response that has not begun is therefore still sent. Until then, interim responses (100 Continue, which every
 * HTTP/1.1 client ignores) probe whether the client is there: a reset closes the connection and cancels the call behind
 * the request. A response that is already being streamed ends at once.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { keepHalfOpen } from "./node/half-open.ts";
import { isUpgraded } from "./node/upgrades.ts";
import { owedResponse } from "./pending-responses.ts";

/** The first probe, late enough to spare fast responses. The pause then doubles each time. */
const firstPauseMs = 100;
const longestPauseMs = 5000;

/** Serves half-closed clients. */
export function serveHalfClosed(server: Server): void {
  keepHalfOpen(server);
  for (const event of ["connection", "secureConnection"]) {
    server.on(event, (socket: Socket) => socket.once("end", () => outlive(socket)));
  }
}

function outlive(socket: Socket): void {
  const owed = owedResponse(socket);
  // The WebSocket server handles the end of its own connections.
  if (owed === undefined || isUpgraded(owed.req)) return;
  if (owed.headersSent) {
    socket.end();
    return;
  }
  // HTTP/1.0 has no interim responses: only the response itself shows whether the client has left.
  if (owed.req.httpVersion !== "1.1") return;
  let timer: NodeJS.Timeout;
  const ask = (pauseMs: number): void => {
    timer = setTimeout(() => {
      if (owed.headersSent) return;
      owed.writeContinue();
      ask(Math.min(pauseMs * 2, longestPauseMs));
    }, pauseMs);
  };
  ask(firstPauseMs);
  owed.once("close", () => clearTimeout(timer));
}
