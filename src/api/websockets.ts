/** The WebSocket server under the routes: `@fastify/websocket`, with what it leaves open closed. */
import type { IncomingMessage } from "node:http";
import websocket, { type WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { bearerPrefix, isProtocolList, offeredProtocols, type Subprotocol } from "../streaming/channels.ts";

/** The subprotocol of a handshake, chosen before `ws` asks for it. */
export type ChosenProtocols = WeakMap<IncomingMessage, string>;

/** Larger messages of a session come in pieces of 256 KiB: see split-messages.ts. */
const maxPayloadBytes = 1024 * 1024;

/**
 * Pings that a client may send before it reads the answer to the first. `ws` ends the session at 60, which who
 * reads behind a pager and asks every five seconds has sent after five minutes; this is four hours. (Its types lack
 * the option.)
 */
const unreadPongs = { maxPendingAutoPongs: 2880 };

export function registerWebSockets(app: FastifyInstance, chosen: ChosenProtocols): void {
  app.register(websocket, {
    options: {
      ...unreadPongs,
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

/**
 * Refuses a handshake that is none. `ws` looks at it only after the session stands, so what it would refuse
 * is refused before.
 *
 * @throws {GatewayError} `method_not_allowed`, `upgrade_required`, `invalid_request`.
 */
export function checkHandshake({ method, headers }: FastifyRequest): void {
  if (method !== "GET") {
    throw new GatewayError("method_not_allowed", `A WebSocket handshake is a GET, not ${method}`, {
      headers: { allow: "GET" },
    });
  }
  if (headers["sec-websocket-version"] !== "13") {
    throw new GatewayError("upgrade_required", "A WebSocket handshake needs Sec-WebSocket-Version: 13", {
      headers: { "sec-websocket-version": "13" },
    });
  }
  if (!/^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")) {
    throw new GatewayError(
      "invalid_request",
      "A WebSocket handshake needs a Sec-WebSocket-Key of 16 bytes in base64",
    );
  }
}

/**
 * The subprotocol to speak; undefined when none was offered.
 *
 * @throws {GatewayError} `invalid_request` where only unknown ones or the token are offered, or what is no list
 *   of names.
 */
export function chooseProtocol(route: SessionRoute, { headers }: IncomingMessage): Subprotocol | undefined {
  const header = headers["sec-websocket-protocol"];
  const all = offeredProtocols(header);
  const offered = all.filter((name) => !name.startsWith(bearerPrefix));
  const found = route.subprotocols.find((name) => offered.includes(name));
  if (found === undefined && all.length > 0) {
    // Who offered some fails the connection when none is answered: the command would have run for nobody.
    const what =
      offered.length > 0 ? `Cannot speak ${offered.join(", ")}` : "The token is no protocol to speak";
    throw new GatewayError("invalid_request", `${what}: this WebSocket has ${route.subprotocols.join(", ")}`);
  }
  if (!isProtocolList(header)) {
    throw new GatewayError("invalid_request", "Sec-WebSocket-Protocol is no list of different names");
  }
  return found as Subprotocol | undefined;
}
