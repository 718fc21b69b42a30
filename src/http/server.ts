/**
 * The HTTP server: Fastify with its defaults that do not fit undone, authentication before everything,
 * and problems for whatever goes wrong, also before a route is found.
 */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { Caller } from "../auth/authorize.ts";
import type { HostGuard } from "../auth/hosts.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import type { Inventory } from "../cri/inventory.ts";
import type { Prepare } from "../cri/prepare.ts";
import { GatewayError } from "../errors.ts";
import { routes } from "../routes/index.ts";
import type { BufferPool } from "../wire/buffer-pool.ts";
import { InvalidJson } from "../wire/parse-json.ts";
import { handlers } from "./handlers.ts";
import { openPaths, registerHealth } from "./health.ts";
import { allowedMethods } from "./methods.ts";
import { pathOf, problemMediaType, problemOf, sendProblem } from "./problems.ts";
import { registerRoutes } from "./register.ts";
import { createSharing } from "./sharing.ts";

export interface ServerOptions {
  readonly runtime: Runtime;
  readonly inventory: Inventory;
  readonly prepare: Prepare;
  readonly pool: BufferPool;
  readonly guardHost: HostGuard;
  /** @throws {GatewayError} `unauthenticated` when the header holds no valid token. */
  authenticate(authorization: string | undefined): Caller;
  /** Called with what no caller is told: failures of the gateway, and what the runtime did wrong. */
  log(entry: LogEntry): void;
}

export interface LogEntry {
  readonly level: "error" | "warn";
  readonly message: string;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly error: unknown;
}

/** Bodies are configurations; 1 MiB is a large one. */
const bodyLimitBytes = 1024 * 1024;
/** An image reference with a digest alone passes Fastify's 100. */
const maxParamLength = 1024;
const maxHeaderBytes = 16 * 1024;
const requestId = /^[A-Za-z0-9._-]{1,64}$/;

/** Builds the server without listening. */
export function createServer(options: ServerOptions): FastifyInstance {
  const callers = new WeakMap<FastifyRequest, Caller>();
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    routerOptions: { maxParamLength },
    http: { maxHeaderSize: maxHeaderBytes },
    connectionTimeout: 0,
    requestTimeout: 60_000,
    keepAliveTimeout: 65_000,
    forceCloseConnections: "idle",
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && requestId.test(given) ? given : randomUUID();
    },
    frameworkErrors: (error, _request, reply) => {
      reply.header("x-request-id", reply.request.id);
      sendProblem(
        reply,
        new GatewayError("invalid_request", `Cannot read the request's URL: ${error.message}`),
      );
    },
    clientErrorHandler: answerRaw,
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, body),
  );

  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    options.guardHost(request.headers);
    if (openPaths.has(pathOf(request.url))) return;
    callers.set(request, options.authenticate(request.headers.authorization));
  });

  app.setNotFoundHandler((request) => {
    const path = pathOf(request.url);
    const allowed = allowedMethods(routes, path);
    if (allowed.length === 0) throw new GatewayError("route_not_found", `No route ${request.method} ${path}`);
    throw new GatewayError(
      "method_not_allowed",
      `${path} does not take ${request.method}: it takes ${allowed.join(", ")}`,
      {
        headers: { allow: allowed.join(", ") },
      },
    );
  });

  app.setErrorHandler((thrown, request, reply) => {
    if (thrown instanceof CallCancelled) return reply.hijack();
    const error = toGatewayError(thrown);
    const status = error instanceof GatewayError ? error.status : 500;
    if (status >= 500) {
      options.log({
        level: error instanceof GatewayError ? "warn" : "error",
        message: error instanceof Error ? error.message : "failed",
        requestId: request.id,
        method: request.method,
        path: pathOf(request.url),
        error,
      });
    }
    return sendProblem(reply, error);
  });

  registerHealth(app, options.runtime);
  registerRoutes(
    app,
    routes,
    {
      ...options,
      share: createSharing(),
      callerOf(request) {
        const caller = callers.get(request);
        if (!caller) throw new Error("a route ran without authentication");
        return caller;
      },
    },
    handlers,
  );
  return app;
}

/** What Fastify and the parsers throw, as rows of the error table; the rest stays what it is. */
function toGatewayError(thrown: unknown): unknown {
  if (thrown instanceof InvalidJson) {
    return new GatewayError("invalid_json", thrown.message, {
      errors: [{ pointer: thrown.pointer, detail: thrown.detail }],
    });
  }
  switch ((thrown as { readonly code?: unknown } | null)?.code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new GatewayError(
        "unsupported_media_type",
        "Bodies are application/json: use curl --json, or send Content-Type: application/json",
      );
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new GatewayError("body_too_large", `The body is over ${bodyLimitBytes} bytes`);
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new GatewayError("invalid_request", "The body is shorter or longer than Content-Length says");
    default:
      return thrown;
  }
}

/** Node's own refusals, before there is a request: broken HTTP, headers too large, too slow. */
function answerRaw(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === "HPE_HEADER_OVERFLOW"
      ? new GatewayError("headers_too_large", `The URL and the headers are over ${maxHeaderBytes} bytes`)
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? new GatewayError("request_timeout", "The request was not complete in time")
        : new GatewayError("invalid_request", "Cannot read the request: it is not valid HTTP/1.1");
  const id = randomUUID();
  const body = JSON.stringify(problemOf(refusal, { requestId: id }));
  socket.end(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ""}\r\n` +
      `Content-Type: ${problemMediaType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Request-Id: ${id}\r\nConnection: close\r\n\r\n${body}`,
  );
}
