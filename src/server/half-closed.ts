/**
 * Clients that end their side of the connection after the request: some wait for the answer all the same,
 * most have left. TCP does not tell which, until something is written to one that has left.
 *
 * So an answer that has not begun is still given. While it is awaited, interim answers (100 Continue, which
 * every HTTP/1.1 client passes over) ask whether anyone is there: a reset ends the connection, and with
 * it the call behind the request. An answer that is being streamed ends at once.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { keepHalfOpen } from "./node/half-open.ts";
import { isUpgraded } from "./node/upgrades.ts";
import { owedResponse } from "./pending-responses.ts";

/** The first question comes after answers that take no time; each later one after twice the pause. */
const firstPauseMs = 100;
const longestPauseMs = 5000;

/** Answers half-closed clients. */
export function serveHalfClosed(server: Server): void {
  keepHalfOpen(server);
  for (const event of ["connection", "secureConnection"]) {
    server.on(event, (socket: Socket) => socket.once("end", () => outlive(socket)));
  }
}

function outlive(socket: Socket): void {
  const owed = owedResponse(socket);
  // A WebSocket's end is its own server's business.
  if (owed === undefined || isUpgraded(owed.req)) return;
  if (owed.headersSent) {
    socket.end();
    return;
  }
  // HTTP/1.0 knows no interim answers: there the answer itself finds out.
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
