/** The WebSocket server under the routes: `@fastify/websocket`, with what it leaves open closed. */
import { IncomingMessage } from "node:http";
import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import type { ChosenProtocols } from "./sessions.ts";

const asked = Symbol("asked for an upgrade");

/** Larger messages end a session: a client may split what it sends. */
const maxPayloadBytes = 1024 * 1024;

/**
 * A request that is an upgrade only when it asks for a WebSocket. Node hands every other `Upgrade` to the
 * same listener once there is one, which would refuse it; RFC 9110, 7.8 allows to ignore it.
 */
export class WebSocketOnlyMessage extends IncomingMessage {
  /** What the parser said. Node's constructor sets it before fields of ours would be there. */
  declare [asked]: boolean;

  get upgrade(): boolean {
    if (!this[asked]) return false;
    return this.method === "CONNECT" || this.headers.upgrade?.toLowerCase() === "websocket";
  }

  set upgrade(value: boolean) {
    this[asked] = value;
  }
}

export function registerWebSockets(app: FastifyInstance, chosen: ChosenProtocols): void {
  app.register(websocket, {
    options: {
      maxPayload: maxPayloadBytes,
      // Compression costs memory for each session, and terminals send little.
      perMessageDeflate: false,
      handleProtocols: (_offered: Set<string>, request: IncomingMessage) => chosen.get(request) ?? false,
    },
    // The sessions' own registry has closed them by now, with a code.
    preClose: (done: () => void) => done(),
    // What is wrong with a message closes its socket by itself, with the code for it: 1009, 1007, 1002.
    errorHandler: (_error: Error, socket: WebSocket) => {
      if (socket.readyState === socket.OPEN) socket.terminate();
    },
  });
}
