/** The HTTP server below Fastify, with TLS or without. */
import { createServer as createPlain, type RequestListener, type Server } from "node:http";
import { createServer as createSecure } from "node:https";
import type { Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { isHandshake } from "./handshake.ts";
import { limitHeaders } from "./node/max-header-size.ts";
import { upgradeOnly } from "./node/upgrades.ts";
import { isBusy, noteResponse, owesTooMuch } from "./pending-responses.ts";
import { maxHeaderBytes, minHeaderBytes } from "./raw-response.ts";

export interface ListenerOptions {
  /** Milliseconds in which a request must have come whole. */
  readonly requestTimeoutMs: number;
  /** Milliseconds for which a client may take nothing of its answer. */
  readonly stallTimeoutMs: number;
  /** With its `ca`, clients must show a certificate of that authority. Absent: no TLS. */
  readonly tls?: SecureContextOptions | undefined;
}

/**
 * What unfinished headers may take in all. A command of a session is in the URL, and may be long; but anybody who
 * reaches the port may begin a request, on as many connections as there may be.
 */
const headerBudgetBytes = 64 * 1024 * 1024;

/** How long the headers of a new connection's requests may be, beside so many others. */
export function headerLimit(connections: number): number {
  const share = Math.floor(headerBudgetBytes / Math.max(connections, 1));
  return Math.min(Math.max(share, minHeaderBytes), maxHeaderBytes);
}

/** Clients that open a connection speak TLS at once. */
const handshakeTimeoutMs = 10_000;

/** Builds the server without listening. */
export function createListener(handler: RequestListener, options: ListenerOptions): Server {
  const server = createBare((request, response) => {
    const { socket } = request;
    // What was read together with the request that ended the connection still comes here.
    if (socket.destroyed) return;
    noteResponse(socket, response);
    if (owesTooMuch(socket)) socket.destroy();
    else handler(request, response);
  }, options);
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    socket.once("close", () => connections--);
  });
  limitHeaders(server, () => headerLimit(connections));
  // A client that stops reading would otherwise pin its response and socket forever.
  return server.setTimeout(options.stallTimeoutMs, (socket: Socket) => {
    const waits = isBusy(socket) && socket.writableLength === 0;
    // Idle ones are Node's to end, but not beside a listener.
    if (!waits) socket.destroy();
  });
}

function createBare(handler: RequestListener, { requestTimeoutMs, tls }: ListenerOptions): Server {
  const http = {
    // RFC 9110, 7.8 allows to ignore other upgrades. Nobody could answer a handshake while a response is still due.
    IncomingMessage: upgradeOnly((request) => isHandshake(request) && !isBusy(request.socket)),
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: requestTimeoutMs / 10,
    keepAliveTimeout: 65_000,
    // Node would refuse without a problem; `hostOf` does.
    requireHostHeader: false,
  };
  if (tls === undefined) return createPlain(http, handler);
  const needsClient = tls.ca !== undefined;
  const server = createSecure(
    {
      ...http,
      ...tls,
      // As it is without TLS: see half-closed.ts.
      allowHalfOpen: true,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: needsClient,
      rejectUnauthorized: needsClient,
    },
    handler,
  );
  noteHandshakes(server);
  return server;
}

/** By server with TLS: the connections whose handshake has begun, by their peer. */
const handshakes = new WeakMap<Server, Map<string, Socket>>();

function noteHandshakes(server: Server): void {
  const begun = new Map<string, Socket>();
  handshakes.set(server, begun);
  const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  server.on("connection", (socket: Socket) => {
    const peer = peerOf(socket);
    begun.set(peer, socket);
    socket.once("close", () => {
      if (begun.get(peer) === socket) begun.delete(peer);
    });
  });
  server.on("secureConnection", (socket: Socket) => begun.delete(peerOf(socket)));
}

/** Closes every connection that speaks HTTP, and those in a TLS handshake, which Node's `closeAllConnections` leaves. */
export function closeConnections(server: Server): void {
  server.closeAllConnections();
  for (const socket of handshakes.get(server)?.values() ?? []) socket.destroy();
}
