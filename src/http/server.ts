/**
 * The HTTP server: Fastify without its unsuitable defaults, authentication before everything else, and problem
 * documents for all errors, even those before routing.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Authenticate } from "../access/callers/authenticate.ts";
import type { KnownCallers } from "../access/callers/known-callers.ts";
import type { SignIns } from "../access/callers/sign-ins.ts";
import type { HostGuard } from "../access/hosts.ts";
import type { PodPolicy } from "../access/policy/pod-policy.ts";
import { bodyLimitBytes, registerBodies } from "../api/bodies.ts";
import type { Gateway } from "../api/gateway.ts";
import { handlers, streamHandlers } from "../api/handlers.ts";
import { createIdempotency } from "../api/idempotency.ts";
import { createKeptSessions } from "../api/kept-sessions.ts";
import { createNameClaims } from "../api/name-claims.ts";
import type { OutputBudget } from "../api/output-budget.ts";
import { registerRoutes } from "../api/register.ts";
import { loadDialler, type SessionOptions } from "../api/session-plan.ts";
import { createSingleflight } from "../api/singleflight.ts";
import { type ChosenProtocols, registerWebSockets } from "../api/websockets.ts";
import type { Audit } from "../audit/audit.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { loadFollower, type NodeEvents } from "../events/node-events.ts";
import type { StopRequests } from "../events/stop-requests.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { AnonymousRequests } from "../limits/anonymous-requests.ts";
import type { CallerLimiter } from "../limits/caller-limiter.ts";
import type { Connections } from "../limits/connections.ts";
import type { KeptLogs } from "../logs/keeping/kept-logs.ts";
import type { GatewayMetrics } from "../metrics/gateway-metrics.ts";
import type { PullRegistry } from "../pulls/pull-registry.ts";
import { isSession } from "../routes/define.ts";
import { routes } from "../routes/index.ts";
import { tokens } from "../routes/runtime.ts";
import type { FindCheckpoints } from "../runtimes/checkpoint-images.ts";
import type { Defaults } from "../runtimes/defaults.ts";
import type { Drain } from "../server/drain.ts";
import { serveHalfClosed } from "../server/half-closed.ts";
import { asksForSpdy } from "../server/handshake.ts";
import { createListener } from "../server/listener.ts";
import type { LogEntry } from "../server/log-entry.ts";
import { allMethods, allowedMethods } from "../server/methods.ts";
import { ignoreExpectations } from "../server/node/expectations.ts";
import { isUpgraded } from "../server/node/upgrades.ts";
import type { OverWatch } from "../server/over-watch.ts";
import { paceBodies } from "../server/paced-body.ts";
import { noteResponse } from "../server/pending-responses.ts";
import { apiHeaders, pathOf, sendProblem } from "../server/problems.ts";
import { answerClientError, refuse } from "../server/raw-response.ts";
import { checkCoding, checkFraming, checkQuery, hostsOf, originForm } from "../server/request-checks.ts";
import type { Collector } from "../stats/collector.ts";
import type { ReadMemoryHistory } from "../stats/container-memory.ts";
import { offeredProtocols, offeredToken } from "../streaming/channels.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { type BufferPool, OutputTooLarge } from "../wire/buffer-pool.ts";
import { InvalidYaml } from "../wire/invalid-yaml.ts";
import { InvalidJson } from "../wire/parse-json.ts";
import { Malformed } from "../wire/read.ts";
import { createAdmission } from "./admission.ts";
import { createAuditTrail } from "./audit-requests.ts";
import { createCrossOrigin } from "./cross-origin.ts";
import { registerDocs } from "./docs.ts";
import { registerDocuments } from "./documents.ts";
import { healthPaths, openPaths, registerHealth } from "./health.ts";
import { countAnswers, metricsPaths, registerMetrics, type Scrapes } from "./metrics.ts";
import { createRequestLog, type RequestLogOptions } from "./request-log.ts";
import { routesFor, suggestRoute } from "./suggest-route.ts";

export interface ServerOptions {
  readonly runtime: Runtime;
  readonly inventory: Inventory;
  readonly defaults: Defaults;
  readonly policy: PodPolicy;
  readonly findCheckpoints: FindCheckpoints;
  readonly pulls: PullRegistry;
  readonly pool: BufferPool;
  readonly sessions: SessionOptions;
  readonly guardHost: HostGuard;
  /** Origins of pages besides the gateway's own that `guardHost` lets pass. */
  readonly allowOrigin?: readonly string[] | undefined;
  /** The shell word for the token file in the reference's curl examples: see `Config`. */
  readonly tokenFileHint: string;
  readonly authenticate: Authenticate;
  /** See `Gateway`. */
  readonly callers: KnownCallers;
  /** See `Gateway`. */
  readonly signIns: SignIns;
  readonly overWatch: OverWatch;
  readonly limits: CallerLimiter;
  readonly anonymous: AnonymousRequests;
  readonly connections: Connections;
  /** Time limit for receiving a complete request, in milliseconds, without its response. Default: 60,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Maximum time without the client reading any of its response, in milliseconds. Default: 300,000, since a person may
   * be reading.
   */
  readonly stallTimeoutMs?: number;
  /** The server's certificate. Absent: no TLS. With `ca`, clients must present a certificate, too. */
  readonly tls?: SecureContextOptions | undefined;
  readonly drain: Drain;
  readonly usage: Collector;
  readonly metrics: GatewayMetrics;
  readonly scrapes: Scrapes;
  /** What happens on the node. */
  readonly events: NodeEvents;
  readonly stops: StopRequests;
  readonly readMemory: ReadMemoryHistory;
  readonly budget: OutputBudget;
  /** See `Gateway`. */
  readonly containersOf: Gateway["containersOf"];
  /** See `Gateway`. */
  readonly keptLogs: KeptLogs;
  /** Folders below which the logs of containers may lie. */
  readonly logRoots: readonly string[];
  /** Default: no audit log. */
  readonly audit?: Audit | undefined;
  /** See `Gateway`. */
  readonly listSilenceMs?: number | undefined;
  /** See `Gateway`. */
  readonly roomWaitMs?: number | undefined;
  /** Logs what callers do not see: failures of the gateway and of the runtime. */
  log(entry: LogEntry): void;
  /** Default: requests are not logged. */
  readonly requestLog?: RequestLogOptions | undefined;
  /** Default: requests are not traced. */
  readonly tracing?: Pick<Tracing, "begin"> | undefined;
}

/** An image reference that contains a digest can exceed Fastify's default of 100. */
const maxParamLength = 1024;
const requestId = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * No route has a schema: the wire codecs validate input. Fastify would load its compilers anyway, which takes an eighth
 * of the startup time.
 */
const noCompiler = (): never => {
  throw new TypeError("A route has a schema, which nothing here compiles");
};
const compilersFactory = { buildValidator: noCompiler, buildSerializer: noCompiler };

export interface Server {
  readonly app: FastifyInstance;
  /**
   * Loads what the first requests would otherwise have to read and import. Call it once the server listens: an import
   * that fails later, because all file descriptors are in use, keeps failing until the process ends.
   */
  warmUp(): Promise<void>;
}

/** Builds the server without listening. */
export function createServer(options: ServerOptions): Server {
  const { requestTimeoutMs = 60_000, stallTimeoutMs = 300_000, connections } = options;
  const requestLog = createRequestLog(options);
  const audit = options.audit === undefined ? undefined : createAuditTrail(options.audit);
  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    requestLog.begin(request, reply);
    audit?.begin(request, reply);
  };
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    routerOptions: { maxParamLength },
    schemaController: { compilersFactory },
    serverFactory: (handler) =>
      createListener(handler, { requestTimeoutMs, stallTimeoutMs, tls: options.tls, connections }),
    forceCloseConnections: "idle",
    // Fastify's own response is not a problem document, and would leave the connection of a handshake open forever.
    return503OnClosing: false,
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && requestId.test(given) ? given : randomUUID();
    },
    frameworkErrors: (error, { id }, reply) => {
      begin(reply.request, reply);
      reply.headers(apiHeaders).header("x-request-id", id);
      sendProblem(
        reply,
        new GatewayError("invalid_request", `Cannot read the request's URL: ${error.message}`),
      );
    },
    rewriteUrl: ({ url = "/" }) => originForm(url),
    clientErrorHandler: (error, socket) => answerClientError(error, socket, requestLog.refused),
  });
  serveHalfClosed(app.server);
  // Node would close the connection without a response.
  app.server.on("connect", (_request, socket: Socket) =>
    refuse(socket, methodRefusal("This server is not a proxy", allMethods), requestLog.refused),
  );
  ignoreExpectations(app.server);

  countAnswers(app, options.metrics);
  const loadYaml = registerBodies(app);
  const { drain } = options;
  const crossOrigin = createCrossOrigin(options);
  const admit = createAdmission({
    ...options,
    authenticate: (request) =>
      options.authenticate({
        authorization: authorizationOf(request),
        socket: request.raw.socket,
        signsIn: `${request.method} ${pathOf(request.url)}` === tokens.signIn.http,
      }),
  });
  app.addHook("preClose", async () => {
    void drain.begin();
  });
  app.addHook("onRequest", async (request, reply) => {
    begin(request, reply);
    reply.headers(apiHeaders).header("x-request-id", request.id);
    // For an upgrade, Node creates no response; the WebSocket plugin created this one.
    if (isUpgraded(request.raw)) noteResponse(request.raw.socket, reply.raw);
    else drain.note(reply.raw);
    if (drain.isDraining && !healthPaths.has(pathOf(request.url))) {
      throw new GatewayError("shutting_down", "The gateway is shutting down");
    }
    checkFraming(request.raw);
    for (const host of hostsOf(request.raw, request.originalUrl)) options.guardHost(request.headers, host);
    if (crossOrigin(request, reply)) return reply;
    checkCoding(request.raw);
    checkQuery(request.url);
    await admit(request, reply);
    if (asksForSpdy(request.raw)) refuseSpdy(request);
    // Before Fastify reads the body: where no route takes one, its checks do not matter.
    if (request.is404) throw routeRefusal(request);
  });

  if (options.tracing !== undefined) {
    // Once the body has been read: its events belong to the connection and not to the request.
    app.addHook("preHandler", (request, _reply, done) => {
      const span = request.record?.span;
      if (span === undefined) done();
      else span.run(done);
    });
  }

  if (options.tls !== undefined) paceBodies(app);

  app.setNotFoundHandler((request) => {
    throw routeRefusal(request);
  });

  app.setErrorHandler((thrown, request, reply) => {
    if (thrown instanceof CallCancelled || hasLeft(thrown, request)) return reply.hijack();
    const error = toGatewayError(thrown);
    const status = error instanceof GatewayError ? error.status : 500;
    if (status >= 500) report(request, error);
    return sendProblem(reply, error);
  });

  function report(request: FastifyRequest, error: unknown): void {
    options.log({
      level: error instanceof GatewayError ? "warn" : "error",
      message: error instanceof Error ? error.message : "failed",
      requestId: request.id,
      method: request.method,
      path: pathOf(request.url),
      error,
    });
  }

  const gateway: Gateway = {
    ...options,
    keptSessions: createKeptSessions(),
    logsObserver: options.metrics.logs,
    containers: options.containersOf({
      runtime: options.runtime,
      kept: options.keptLogs,
      changes: options.events,
    }),
    share: createSingleflight(),
    names: createNameClaims(),
    idempotency: createIdempotency(),
    report: (request, thrown) => report(request, toGatewayError(thrown)),
    audit,
    streamStarted(request) {
      requestLog.streamStarted(request);
      audit?.streamStarted(request);
    },
    sessionStarted: requestLog.sessionStarted,
  };
  const chosen: ChosenProtocols = new WeakMap();
  const loads = [...registerDocuments(app), ...registerDocs(app, options.tokenFileHint)];
  registerMetrics(app, options.scrapes);
  registerHealth(app, { ...options, sessions: options.sessions.registry });
  registerWebSockets(app, chosen);
  // In its own scope, which starts once the WebSocket server is ready.
  app.register(async (scope) => {
    registerRoutes(scope, routes, {
      gateway,
      sessions: options.sessions,
      chosen,
      custom: handlers,
      streams: streamHandlers,
    });
  });
  return {
    app,
    async warmUp() {
      // One at a time, with requests served in between: each load takes some milliseconds.
      for (const load of [loadDialler, loadYaml, loadFollower, ...loads]) {
        await load();
        await nextTurn();
      }
    },
  };
}

/** A browser cannot set headers on a WebSocket, so it offers the token as a subprotocol. */
function authorizationOf({ headers }: FastifyRequest): string | undefined {
  if (headers.authorization !== undefined || headers.upgrade === undefined) return headers.authorization;
  const token = offeredToken(offeredProtocols(headers["sec-websocket-protocol"]));
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** Whether the error means that the client left before its request was complete. */
function hasLeft(thrown: unknown, { raw }: FastifyRequest): boolean {
  return (thrown as { readonly code?: unknown } | null)?.code === "ECONNRESET" && !raw.complete;
}

/** Maps errors of Fastify, the parsers and the writers to rows of the error table. Returns others unchanged. */
function toGatewayError(thrown: unknown): unknown {
  if (thrown instanceof InvalidJson) {
    return new GatewayError("invalid_json", thrown.message, {
      errors: [{ pointer: thrown.pointer, detail: thrown.detail }],
    });
  }
  if (thrown instanceof InvalidYaml) {
    return new GatewayError("invalid_yaml", thrown.message, {
      errors: [{ pointer: thrown.pointer, detail: thrown.detail }],
    });
  }
  // From the runtime: what the gateway encodes itself is never malformed or too large.
  if (thrown instanceof Malformed)
    return new GatewayError("runtime_error", `Cannot read the runtime's reply: ${thrown.message}`, {
      cause: thrown,
    });
  if (thrown instanceof OutputTooLarge)
    return new GatewayError("reply_too_large", thrown.message, { cause: thrown });
  switch ((thrown as { readonly code?: unknown } | null)?.code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new GatewayError(
        "unsupported_media_type",
        "Bodies must be application/json or application/yaml: use curl --json, or send Content-Type: application/json",
      );
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new GatewayError("body_too_large", `The body is over ${bodyLimitBytes} bytes`);
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new GatewayError("invalid_request", "The body is shorter or longer than its Content-Length");
    default:
      return thrown;
  }
}

/** No route matches: 405 if the path accepts other methods, otherwise 404. */
function routeRefusal({ method, url }: FastifyRequest): GatewayError {
  const path = pathOf(url);
  const allowed =
    openPaths.has(path) || metricsPaths.some((one) => one === path)
      ? ["GET", "HEAD"]
      : allowedMethods(routes, path);
  if (allowed.length > 0)
    return methodRefusal(`${path} does not allow ${method}`, allowed, routesFor(routes, method, path));
  const suggestion = suggestRoute(routes, method, path);
  const hint = suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`;
  return new GatewayError("route_not_found", `No route ${method} ${path}${hint}`);
}

/** Points a SPDY client to the WebSocket at the same path. Elsewhere the offer is ignored. */
function refuseSpdy({ url }: FastifyRequest): void {
  const path = pathOf(url);
  const sessionRoutes = routes.filter(isSession);
  if (!allowedMethods(sessionRoutes, path).includes("GET")) return;
  throw new GatewayError("upgrade_required", `SPDY is not supported, use the WebSocket: GET ${path}`, {
    headers: { upgrade: "websocket", connection: "upgrade" },
  });
}

function methodRefusal(
  sentence: string,
  allowed: readonly string[],
  others: readonly string[] = [],
): GatewayError {
  const allow = allowed.join(", ");
  const hint = others.length === 0 ? "" : ` (did you mean ${others.join(" or ")}?)`;
  return new GatewayError("method_not_allowed", `${sentence}: use ${allow}${hint}`, {
    headers: { allow },
  });
}
