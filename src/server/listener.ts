/** The HTTP server below Fastify, with or without TLS. */
import {
  createServer as createPlain,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { createServer as createSecure } from "node:https";
import type { Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { type Connections, createConnections } from "../limits/connections.ts";
import { isHandshake } from "./handshake.ts";
import { limitHeaders } from "./node/max-header-size.ts";
import { hasHttpMethod, isHttp } from "./node/other-protocols.ts";
import { upgradeOnly } from "./node/upgrades.ts";
import { isBusy, noteResponse, owesTooMuch } from "./pending-responses.ts";
import { maxHeaderBytes, minHeaderBytes } from "./raw-response.ts";
import { framingFault, maxHeaders } from "./request-checks.ts";

export interface ListenerOptions {
  /** Time limit for receiving a complete request, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Maximum time without the client reading any of its response, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** If `ca` is set, clients must present a certificate issued by it. Absent: no TLS. */
  readonly tls?: SecureContextOptions | undefined;
  /** Receives every connection. Default: there is no limit. */
  readonly connections?: Connections;
}

/**
 * Total memory for unfinished headers. Session commands are part of the URL and can be long, but anyone who reaches the
 * port can start requests, on as many connections as are allowed.
 */
const headerBudgetBytes = 64 * 1024 * 1024;

/** The maximum header length for a new connection, given the number of those that share the budget in equal parts. */
export function headerLimit(sharers: number): number {
  const share = Math.floor(headerBudgetBytes / Math.max(sharers, 1));
  return Math.min(Math.max(share, minHeaderBytes), maxHeaderBytes);
}

/** Clients start the TLS handshake as soon as they connect. */
const handshakeTimeoutMs = 10_000;

/** Connections whose last request has come: what follows it is not served. */
const ending = new WeakSet<Socket>();

/**
 * Whether nothing behind a request may be taken for another request: its own end is uncertain, or it offers an upgrade
 * that is not accepted. Node loses what it read together with such a request, and would go on in the middle of the next
 * one. Clients that offer h2c are an exception, because Java's HttpClient does with the first request of every
 * connection, and waits for the answer.
 */
function isLast(request: IncomingMessage): boolean {
  const upgrade = request.headers.upgrade?.toLowerCase();
  return (upgrade !== undefined && upgrade !== "h2c") || framingFault(request) !== undefined;
}

/** Builds the server without listening. */
export function createListener(handler: RequestListener, options: ListenerOptions): Server {
  const server = createBare((request, response) => {
    const { socket } = request;
    // Requests read together with the one that ended the connection still arrive here.
    if (socket.destroyed || ending.has(socket)) return;
    if (!isHttp(server, request)) {
      ending.add(socket);
      return;
    }
    noteResponse(socket, response);
    if (isLast(request)) {
      ending.add(socket);
      response.setHeader("connection", "close");
      response.once("finish", () => socket.destroySoon());
    }
    if (owesTooMuch(socket)) socket.destroy();
    else handler(request, response);
  }, options);
  // One more than allowed, so that it shows.
  server.maxHeadersCount = maxHeaders + 1;
  const { connections = createConnections() } = options;
  // First, since Node asks for the limit when it takes the connection. With TLS, that is after the handshake.
  server.prependListener("connection", connections.add);
  limitHeaders(server, () => headerLimit(connections.sharers));
  // A client that stops reading would otherwise pin its response and socket forever.
  return server.setTimeout(options.stallTimeoutMs, (socket: Socket) => {
    const waits = isBusy(socket) && socket.writableLength === 0;
    // With a listener, Node no longer closes idle connections itself.
    if (!waits) socket.destroy();
  });
}

function createBare(handler: RequestListener, { requestTimeoutMs, tls }: ListenerOptions): Server {
  const http = {
    // RFC 9110, 7.8 allows a server to ignore other upgrades. A handshake cannot be answered while a response is still
    // pending.
    IncomingMessage: upgradeOnly(
      (request) => isHandshake(request) && hasHttpMethod(request) && !isBusy(request.socket),
    ),
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: requestTimeoutMs / 10,
    keepAliveTimeout: 65_000,
    // Node would refuse without a problem document. `hostsOf` sends one.
    requireHostHeader: false,
  };
  if (tls === undefined) return createPlain(http, handler);
  const needsClient = tls.ca !== undefined;
  const server = createSecure(
    {
      ...http,
      ...tls,
      // As without TLS: see half-closed.ts.
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

/** TLS server -> connections in a handshake, by peer address and port. */
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
  server.on("secureConnection", (socket: Socket) => {
    const peer = peerOf(socket);
    const tcp = begun.get(peer);
    if (tcp !== undefined) tcpConnections.set(socket, tcp);
    begun.delete(peer);
  });
}

/** TLS connection -> the TCP connection below it. */
const tcpConnections = new WeakMap<Socket, Socket>();

/** The TCP connection of a request. */
export const tcpConnectionOf = (socket: Socket): Socket => tcpConnections.get(socket) ?? socket;

/** Closes all HTTP connections, including those in a TLS handshake, which Node's `closeAllConnections` misses. */
export function closeConnections(server: Server): void {
  server.closeAllConnections();
  for (const socket of handshakes.get(server)?.values() ?? []) socket.destroy();
}
