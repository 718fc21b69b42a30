/**
 * Lets requests in: finds out who sends them, and holds callers and addresses to their limits.
 *
 * Nothing has been read of the request by then but its headers, and nothing is done for it yet.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "../access/authorize.ts";
import { bodyLimitBytes } from "../api/bodies.ts";
import { whenClosed } from "../api/gateway.ts";
import { GatewayError } from "../errors.ts";
import type { AnonymousRequests } from "../limits/anonymous-requests.ts";
import type { CallerLimiter } from "../limits/caller-limiter.ts";
import type { Connections } from "../limits/connections.ts";
import { tcpConnectionOf } from "../server/listener.ts";
import { pathOf } from "../server/problems.ts";
import { healthPaths, openPaths } from "./health.ts";

export interface AdmissionOptions {
  readonly limits: CallerLimiter;
  readonly anonymous: AnonymousRequests;
  readonly connections: Connections;
  /** @throws {GatewayError} unauthenticated: when the request has no valid token. */
  authenticate(request: FastifyRequest): Caller | Promise<Caller>;
}

/**
 * Returns a function that sets the caller of a request, unless its path needs none.
 *
 * @throws {GatewayError} unauthenticated, too_many_requests: from the returned function.
 */
export function createAdmission({ limits, anonymous, connections, authenticate }: AdmissionOptions) {
  async function callerOf(request: FastifyRequest, socket: Socket): Promise<Caller> {
    try {
      return await authenticate(request);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "unauthenticated")
        await anonymous.countFailure(socket.remoteAddress);
      throw error;
    }
  }

  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { socket } = request.raw;
    const path = pathOf(request.url);
    if (openPaths.has(path) && !needsToken(path, request)) {
      if (!healthPaths.has(path)) anonymous.countPage(socket.remoteAddress);
      return;
    }
    const caller = await callerOf(request, socket);
    request.caller = caller;
    connections.trust(tcpConnectionOf(socket));
    limits.useConnection(socket, caller);
    limits.request(caller);
    const bytes = bodyBytes(request.raw);
    if (bytes === 0) return;
    request.heldBody = limits.take("bodyBytes", caller, bytes);
    whenClosed(reply, request.heldBody.release);
  };
}

/** `/readyz?verbose` says more, and needs a token for it. */
const needsToken = (path: string, { query }: FastifyRequest): boolean =>
  healthPaths.has(path) && (query as { readonly verbose?: unknown }).verbose !== undefined;

/** How large the body is, at most; without a length as large as it may be, until it has come. */
function bodyBytes({ method, headers }: IncomingMessage): number {
  if (method === "GET" || method === "HEAD") return 0;
  const length = headers["content-length"];
  if (length !== undefined) return Math.min(Number(length) || 0, bodyLimitBytes);
  return headers["transfer-encoding"] === undefined ? 0 : bodyLimitBytes;
}
