/**
 * One log entry for each request, written when its response has closed; two for a stream or session, at its start and
 * at its end.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "@fastify/websocket";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Access, Route } from "../routes/define.ts";
import type { LogEntry } from "../server/log-entry.ts";
import { pathOf } from "../server/problems.ts";
import type { RawRefusal } from "../server/raw-response.ts";
import { beginRecord, type RequestRecord, type RequestSpan } from "../server/request-record.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { healthPaths } from "./health.ts";
import { bytesOf, sentSince } from "./response-bytes.ts";

export interface RequestLogOptions {
  /** Receives an entry of level `info` or `debug`. */
  readonly log: (entry: LogEntry) => void;
  /** Whether to log health probes, as `debug`. */
  readonly probes: boolean;
}

export interface RequestWatchOptions {
  /** Default: nothing is logged. */
  readonly requestLog?: RequestLogOptions | undefined;
  /** Makes a span for each request but health probes. Default: none. */
  readonly tracing?: Pick<Tracing, "begin"> | undefined;
}

export interface RequestLog {
  /** Call this before anything can refuse the request. */
  begin(request: FastifyRequest, reply: FastifyReply): void;
  /** A stream has begun to answer over HTTP. */
  streamStarted(request: FastifyRequest): void;
  /** A WebSocket has opened. */
  sessionStarted(request: FastifyRequest, socket: WebSocket): void;
  /** A request was refused that never reached a route. */
  refused(refusal: RawRefusal): void;
}

/** For a gateway that neither logs nor traces requests. */
const noRequestLog: RequestLog = {
  begin: () => undefined,
  streamStarted: () => undefined,
  sessionStarted: () => undefined,
  refused: () => undefined,
};

/** What a route's `config` holds for the log. */
export interface LoggedConfig {
  readonly logged?: Route;
}

export function createRequestLog({ requestLog, tracing }: RequestWatchOptions): RequestLog {
  if (requestLog === undefined && tracing === undefined) return noRequestLog;
  const { log, probes } = requestLog ?? { log: () => undefined, probes: false };

  function finish(request: FastifyRequest, reply: FastifyReply, record: RequestRecord): void {
    const { raw } = reply;
    record.isClosed = true;
    const aborted = !raw.writableFinished;
    const isProbe = healthPaths.has(pathOf(request.url)) && record.code === undefined;
    if (isProbe && !probes) return;
    const facts = factsOf(request, record);
    const created = raw.statusCode === 201 ? targetIn(reply.getHeader("location")) : undefined;
    const status = raw.headersSent ? raw.statusCode : undefined;
    const target = record.target ?? created;
    record.span?.end({ status: aborted && !record.isOpen ? undefined : status, code: record.code, target });
    log({
      level: isProbe ? "debug" : "info",
      message: messageOf(facts, record.isOpen ? "ended" : String(status ?? "left before the response")),
      ...facts,
      event: record.isOpen ? "end" : undefined,
      status,
      code: record.code,
      target,
      replayed: record.isReplay,
      durationMs: elapsedMs(record),
      bytes: raw.headersSent ? bytesOf(request, reply, record) : undefined,
      aborted: aborted ? true : undefined,
    });
  }

  return {
    begin(request, reply) {
      const record = beginRecord(request, tracing === undefined ? undefined : beginSpan(tracing, request));
      reply.raw.once("close", () => finish(request, reply, record));
    },
    streamStarted(request) {
      const { record } = request;
      // The client may have left while the stream was opened.
      if (record === undefined || record.isClosed) return;
      record.isOpen = true;
      const facts = factsOf(request, record);
      log({ level: "info", message: messageOf(facts, "started"), ...facts, event: "start", status: 200 });
    },
    sessionStarted(request, socket) {
      const { record } = request;
      if (record === undefined) return;
      const facts = { ...factsOf(request, record), status: 101 };
      log({ level: "info", message: messageOf(facts, "started"), ...facts, event: "start" });
      logSessionEnd(log, { facts, record, socket, connection: request.raw.socket });
    },
    refused({ requestId, status, code }) {
      log({ level: "info", message: `Refused a connection's input: ${status}`, requestId, status, code });
    },
  };
}

/** A session that is open: nothing here may hold its request, which can be large. */
interface OpenSession {
  readonly facts: Facts;
  readonly record: RequestRecord;
  readonly socket: WebSocket;
  readonly connection: Socket;
}

/** Apart from the function that has the request: a listener keeps all variables of the function that makes it. */
function logSessionEnd(
  log: RequestLogOptions["log"],
  { facts, record, socket, connection }: OpenSession,
): void {
  socket.once("close", (closeCode: number) => {
    record.span?.end({ status: facts.status, code: record.code, target: record.target });
    log({
      level: "info",
      message: messageOf(facts, "ended"),
      ...facts,
      event: "end",
      code: record.code,
      durationMs: elapsedMs(record),
      bytes: sentSince(connection, record),
      bytesReceived: connection.bytesRead - record.receivedBefore,
      closeCode,
    });
  });
}

type Facts = Omit<LogEntry, "level" | "message">;

const messageOf = ({ method, route, path }: Facts, outcome: string): string =>
  `${method} ${route ?? path} ${outcome}`;

function beginSpan(tracing: Pick<Tracing, "begin">, request: FastifyRequest): RequestSpan | undefined {
  const path = pathOf(request.url);
  if (healthPaths.has(path)) return undefined;
  const { id: requestId, method, protocol: scheme, headers } = request;
  return tracing.begin({ requestId, method, route: routeOf(request), path, scheme, headers });
}

/** The path as the API documents it; undefined where no route matches. */
function routeOf({ routeOptions }: FastifyRequest): string | undefined {
  const { logged } = routeOptions.config as LoggedConfig;
  return logged === undefined ? routeOptions.url : logged.http.slice(logged.http.indexOf(" ") + 1);
}

/** What is known from the beginning on. */
function factsOf(request: FastifyRequest, { target, span }: RequestRecord) {
  const { logged } = request.routeOptions.config as LoggedConfig;
  const route = routeOf(request);
  return {
    requestId: request.id,
    method: request.method,
    route,
    // No route says what it was that the client asked for.
    path: route === undefined ? pathOf(request.url).slice(0, maxPathLength) : undefined,
    caller: request.caller?.name,
    grant: grantOf(logged?.allow),
    target,
    traceId: span?.traceId,
  };
}

const maxPathLength = 256;

const grantOf = (allow: Access | undefined): string | undefined =>
  allow === "authenticated" ? undefined : allow;

const elapsedMs = ({ startedAtMs }: RequestRecord): number =>
  Math.round((performance.now() - startedAtMs) * 100) / 100;

/** `/v1/pods/ID` -> `pods/ID` */
export function targetIn(location: unknown): string | undefined {
  return typeof location === "string" ? location.replace(/^\/v1\//, "") : undefined;
}
