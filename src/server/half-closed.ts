/**
 * Clients that end their side of the connection after the request. Some still wait for the response, but most have
 * left. Node cannot tell the two apart until something is written.
 *
 * A response that has not begun is therefore still sent. Until then, interim responses (100 Continue, which every
 * HTTP/1.1 client ignores) probe whether the client is there: a reset closes the connection and cancels the call behind
 * the request. Once the response has begun, nothing can be written that the client would ignore, so it ends when it has
 * been idle for a while. A response that is already being streamed when the client ends its side ends at once.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { keepHalfOpen } from "./node/half-open.ts";
import { isUpgraded } from "./node/upgrades.ts";
import { owedResponse } from "./pending-responses.ts";

/** The first probe, late enough to spare fast responses. The pause then doubles each time. */
const firstPauseMs = 100;
const longestPauseMs = 5000;

/** Longer than a stream with heartbeats is idle, and than a list of the runtime usually takes. */
const usualIdleMs = 20_000;

export interface HalfClosedOptions {
  /** How long a response that has begun may be idle. Default: 20 s. */
  readonly idleMs?: number;
}

/** Serves half-closed clients. */
export function serveHalfClosed(server: Server, { idleMs = usualIdleMs }: HalfClosedOptions = {}): void {
  keepHalfOpen(server);
  for (const event of ["connection", "secureConnection"]) {
    server.on(event, (socket: Socket) => socket.once("end", () => outlive(socket, idleMs)));
  }
}

function outlive(socket: Socket, idleMs: number): void {
  const owed = owedResponse(socket);
  // The WebSocket server handles the end of its own connections.
  if (owed === undefined || isUpgraded(owed.req)) return;
  if (owed.headersSent) {
    socket.end();
    return;
  }
  // HTTP/1.0 has no interim responses: only the response itself shows whether the client has left.
  const isAsked = owed.req.httpVersion === "1.1";
  let timer: NodeJS.Timeout;
  const ask = (pauseMs: number): void => {
    timer = setTimeout(() => {
      if (owed.headersSent) {
        endWhenIdle(socket.bytesWritten);
        return;
      }
      if (isAsked) owed.writeContinue();
      ask(Math.min(pauseMs * 2, longestPauseMs));
    }, pauseMs);
  };
  const endWhenIdle = (sent: number): void => {
    timer = setTimeout(() => {
      // What waits for a slow client is not idle, and its reset would be noticed.
      if (socket.bytesWritten === sent && socket.writableLength === 0) socket.end();
      else endWhenIdle(socket.bytesWritten);
    }, idleMs);
  };
  ask(firstPauseMs);
  owed.once("close", () => clearTimeout(timer));
}
