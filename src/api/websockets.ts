/** The WebSocket server for the routes: `@fastify/websocket`, plus the checks that it lacks. */
import type { IncomingMessage } from "node:http";
import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import { bearerPrefix, isProtocolList, offeredProtocols } from "../streaming/channels.ts";

/** The subprotocol of each handshake, chosen before `ws` asks for it. */
export type ChosenProtocols = WeakMap<IncomingMessage, string>;

/** Largest message that `ws` accepts. split-messages.ts splits larger session messages into pieces of 256 KiB. */
const maxPayloadBytes = 1024 * 1024;

/**
 * Pings that a client may send before it reads the first pong. `ws` ends the session at 60 by default, which a client
 * that pauses reading, as in a pager, and pings every five seconds reaches after five minutes. This allows four hours.
 * (The types of `ws` lack the option.)
 */
const unreadPongs = { maxPendingAutoPongs: 2880 };

export function registerWebSockets(app: FastifyInstance, chosen: ChosenProtocols): void {
  app.register(websocket, {
    options: {
      ...unreadPongs,
      maxPayload: maxPayloadBytes,
      // Compression costs memory per session, and terminals send little.
      perMessageDeflate: false,
      handleProtocols: (_offered: Set<string>, request: IncomingMessage) => chosen.get(request) ?? false,
    },
    // The session registry has already closed them, with a code.
    preClose: (done: () => void) => done(),
    // `ws` closes the socket after an invalid message, with its code: 1009, 1007, 1002.
    errorHandler: (_error: Error, socket: WebSocket) => {
      if (socket.readyState === socket.OPEN) socket.terminate();
    },
  });
}

/**
 * Refuses an invalid handshake. `ws` would check it only after the session is open.
 *
 * @throws {GatewayError} method_not_allowed, upgrade_required, invalid_request
 */
export function checkHandshake({ method, headers }: FastifyRequest): void {
  if (method !== "GET") {
    throw new GatewayError("method_not_allowed", `A WebSocket handshake must be a GET, got ${method}`, {
      headers: { allow: "GET" },
    });
  }
  if (headers["sec-websocket-version"] !== "13") {
    throw new GatewayError("upgrade_required", "A WebSocket handshake needs Sec-WebSocket-Version: 13", {
      headers: { "sec-websocket-version": "13" },
    });
  }
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0) {
    throw new GatewayError("invalid_request", "A WebSocket handshake has no body");
  }
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) {
    throw new GatewayError(
      "invalid_request",
      "A WebSocket handshake needs a Sec-WebSocket-Key of 16 bytes in base64",
    );
  }
}

/** The subprotocol of stream routes: one text message of JSON per item. */
export const itemsProtocol = "v1.items.crest";

/**
 * Chooses a supported subprotocol; undefined if none was offered.
 *
 * @throws {GatewayError} invalid_request: if only unknown ones or only the token are offered, or the header is not a
 * list of distinct names.
 */
export function chooseProtocol<P extends string>(
  supported: readonly P[],
  { headers }: IncomingMessage,
): P | undefined {
  const header = headers["sec-websocket-protocol"];
  const all = offeredProtocols(header);
  const offered = all.filter((name) => !name.startsWith(bearerPrefix));
  const found = supported.find((name) => offered.includes(name));
  if (found === undefined && all.length > 0) {
    // A client that offered some fails the connection if none is chosen: its command would run in vain.
    const what =
      offered.length > 0 ? `Unknown subprotocol ${offered.join(", ")}` : "The token is not a subprotocol";
    throw new GatewayError("invalid_request", `${what}: this WebSocket supports ${supported.join(", ")}`);
  }
  if (!isProtocolList(header)) {
    throw new GatewayError("invalid_request", "Sec-WebSocket-Protocol must be a list of distinct names");
  }
  return found;
}
