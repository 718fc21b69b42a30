/** The services that route handlers use. */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { KnownCallers } from "../access/callers/known-callers.ts";
import type { SignIns } from "../access/callers/sign-ins.ts";
import type { PodPolicy } from "../access/policy/pod-policy.ts";
import type { Runtime } from "../cri/channel.ts";
import { encodeCallers } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { NodeEvents } from "../events/node-events.ts";
import type { StopRequests } from "../events/stop-requests.ts";
import type { Rpc } from "../gen/methods.ts";
import type { Inventory, Kind } from "../inventory/inventory.ts";
import type { CallerLimiter } from "../limits/caller-limiter.ts";
import type { KeptLogs } from "../logs/keeping/kept-logs.ts";
import type { ContainerSource, SourceOptions } from "../logs/logged-containers.ts";
import type { LogsObserver } from "../logs/read-logs.ts";
import type { PullRegistry } from "../pulls/pull-registry.ts";
import type { FindCheckpoints } from "../runtimes/checkpoint-images.ts";
import type { Defaults } from "../runtimes/defaults.ts";
import type { Ignored } from "../runtimes/find-dropped.ts";
import type { OverWatch } from "../server/over-watch.ts";
import type { Collector } from "../stats/collector.ts";
import type { ReadMemoryHistory } from "../stats/container-memory.ts";
import type { BufferPool } from "../wire/buffer-pool.ts";
import { InvalidValue, jsonPointer } from "../wire/invalid-value.ts";
import { type Binder, invalid, type JsonObject, respell } from "./bind.ts";
import type { Idempotency } from "./idempotency.ts";
import type { KeptSessions } from "./kept-sessions.ts";
import type { NameClaims } from "./name-claims.ts";
import type { OutputBudget } from "./output-budget.ts";
import type { RequestAudit } from "./request-audit.ts";
import type { Share } from "./singleflight.ts";
import { maxNamed, type UnknownFields, warningOf } from "./unknown-fields.ts";

export interface Gateway {
  readonly runtime: Runtime;
  readonly inventory: Inventory;
  /** Only for a caller that may see some pods: those that it may read, whatever else it may do with them. */
  readonly readable?: ((kind: Kind) => Inventory) | undefined;
  readonly defaults: Defaults;
  readonly policy: PodPolicy;
  readonly findCheckpoints: FindCheckpoints;
  /** Events of pods, containers and images. */
  readonly events: NodeEvents;
  /** What the gateway was asked to stop. */
  readonly stops: StopRequests;
  readonly readMemory: ReadMemoryHistory;
  readonly pool: BufferPool;
  readonly share: Share;
  readonly budget: OutputBudget;
  readonly limits: CallerLimiter;
  /** Default: no audit log. */
  readonly audit?: RequestAudit | undefined;
  /** Measures all pods and containers for every watcher. */
  readonly usage: Collector;
  /** Lists the containers whose logs can be read. */
  readonly containers: ContainerSource;
  /** The same for another view of the node. */
  readonly containersOf: (view: Omit<SourceOptions, "logRoot">) => ContainerSource;
  /** The logs in the gateway's own folder, also those of removed containers. */
  readonly keptLogs: KeptLogs;
  /** Logs are read only from these folders and their subfolders. */
  readonly logRoots: readonly string[];
  readonly logsObserver: LogsObserver;
  readonly pulls: PullRegistry;
  /** Sessions that outlive the connections of their clients. */
  readonly keptSessions: KeptSessions;
  /** The callers of the tokens file. */
  readonly callers: KnownCallers;
  /** Who signs in to the gateway's pages. */
  readonly signIns: SignIns;
  readonly overWatch: OverWatch;
  /** The names of pods that are being created. */
  readonly names: NameClaims;
  /** Answers to requests that may be repeated. */
  readonly idempotency: Idempotency;
  /** Milliseconds that the runtime may be silent during an NDJSON list. Default: the list's own deadline. */
  readonly listSilenceMs?: number | undefined;
  /** Milliseconds that a command waits for room in the budget. Default: 5 s. */
  readonly roomWaitMs?: number | undefined;
  /** Logs a failure that is too late to answer. */
  report(request: FastifyRequest, error: unknown): void;
  /** Tells the log that a stream has begun to answer over HTTP. */
  streamStarted(request: FastifyRequest): void;
  /** Tells the log that the WebSocket of a request has opened. */
  sessionStarted(request: FastifyRequest, socket: WebSocket): void;
}

/** Calls `release` once the response has closed and Node no longer holds its bytes; immediately if it already has. */
export function whenClosed({ raw }: FastifyReply, release: () => void): void {
  if (raw.destroyed) release();
  else raw.once("close", release);
}

/**
 * Encodes a bound message. `unknown` collects the fields that are left out.
 *
 * @throws {GatewayError} invalid_request: with locations as the caller wrote them.
 */
export function encodeBound(rpc: Rpc, message: JsonObject, binder: Binder, unknown?: UnknownFields): Buffer {
  try {
    if (unknown === undefined) return encodeCallers(rpc, message);
    unknown.clear();
    return encodeCallers(rpc, message, { onUnknown: unknown.note });
  } catch (error) {
    throw located(error, message, binder);
  }
}

/** Turns an `InvalidValue` into an `invalid_request` with the caller's locations; returns any other error unchanged. */
export function located(error: unknown, message: JsonObject, { locate }: Binder): unknown {
  if (!(error instanceof InvalidValue)) return error;
  const errors = error.mistakes.map(({ pointer, detail, kind }) =>
    locate(
      respell(pointer, message),
      kind === "unknown" ? `${detail}; fieldValidation=Warn ignores it with a warning` : detail,
    ),
  );
  return invalid(errors, error);
}

/** Maps the locations in a runtime error from the request message to where the caller wrote them. */
export function locatedInRequest(error: unknown, request: JsonObject, { locate }: Binder): unknown {
  if (!(error instanceof GatewayError) || error.errors.length === 0) return error;
  const { code, message, grpcCode, members, headers } = error;
  const errors = error.errors.map((one) =>
    one.pointer === undefined ? one : { ...one, ...locate(respell(one.pointer, request), one.detail) },
  );
  return new GatewayError(code, message, { cause: error, errors, grpcCode, members, headers });
}

/** Adds a `Warning` header to the answer for each field that was left out. */
export function warnOfUnknown(reply: FastifyReply, unknown: UnknownFields, binder: Binder): void {
  const pointerOf = (path: readonly (string | number)[]): string =>
    binder.locate(jsonPointer(path), "").pointer ?? "";
  warn(reply, unknown.warnings(pointerOf));
}

/** Adds a `Warning` header to the answer for each field that the runtime ignores. */
export function warnOfIgnored(
  reply: FastifyReply,
  ignored: readonly Ignored[],
  request: JsonObject,
  { locate }: Binder,
): void {
  const texts = ignored.slice(0, maxNamed).map(({ path, detail }) => {
    const { pointer = "" } = locate(respell(jsonPointer(path), request), "");
    return `field "${pointer}": ${detail}`;
  });
  const more = ignored.length - texts.length;
  if (more > 0) texts.push(`${more} more ignored fields`);
  warn(reply, texts.map(warningOf));
}

function warn(reply: FastifyReply, warnings: readonly string[]): void {
  const before = reply.getHeader("warning");
  // A step that is checked before it is made warns twice.
  const all = [...new Set([before ?? [], warnings].flat() as readonly string[])];
  if (all.length > 0) reply.header("warning", all);
}
