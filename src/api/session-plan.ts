/** What all sessions share: settings, plans, and opening a connection to the runtime. */
import type { Caller } from "../access/authorize.ts";
import { call } from "../cri/call.ts";
import { accountOf } from "../limits/caller-limiter.ts";
import type { SessionRoute } from "../routes/define.ts";
import type { WhyOver } from "../server/over-watch.ts";
import type { Bridged } from "../streaming/bridge.ts";
import type { Subprotocol } from "../streaming/channels.ts";
import type { DialOptions } from "../streaming/dial.ts";
import type { Limits } from "../streaming/liveness.ts";
import type { WaitingOutput } from "../streaming/output-pump.ts";
import type { PendingSession, WaitingClient } from "../streaming/pending-session.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import type { SpdyConnection } from "../streaming/spdy/connection.ts";
import type { Binder } from "./bind.ts";
import type { Gateway } from "./gateway.ts";
import type { OutputBudget } from "./output-budget.ts";

export interface SessionOptions {
  readonly registry: SessionRegistry;
  readonly limits: Limits;
  /** Counts output that waits for clients. */
  readonly output: OutputBudget;
  /** See `CommandSessionOptions`. */
  readonly statusGraceMs: number;
  /** How long a kept session waits for its client, in milliseconds. */
  readonly lingerMs: number;
  readonly streamHost?: string | undefined;
  readonly streamCa?: string | undefined;
}

/** A session with checked parameters, before the runtime is called. */
export interface SessionPlan {
  /** Number of connections to the runtime that it opens. */
  readonly places: number;
  /** Why the session may not go on, if that is not its caller's `whyOver`. */
  readonly whyOver?: WhyOver;
  /**
   * Opens them.
   *
   * @throws {GatewayError}
   * @throws {CallCancelled} if the client has disconnected.
   */
  readonly open: (client: WaitingClient) => Promise<PendingSession>;
}

/** What checking a session's parameters needs. */
export interface PlanOptions {
  readonly gateway: Gateway;
  readonly sessions: SessionOptions;
  readonly binder: Binder;
  readonly subprotocol: Subprotocol | undefined;
}

/** Begins a session. Its waiting output counts against the caller's budget until it ends. */
export function counted<S extends Bridged>(
  { output }: SessionOptions,
  caller: Caller,
  begin: (waiting: WaitingOutput) => S,
): S {
  const waiting = output.reserve(accountOf(caller), 0);
  const session = begin(waiting);
  void session.ended.finally(waiting.release);
  return session;
}

/** Only sessions need an HTTP client, and importing it takes half as long as the whole start. */
export const loadDialler = () => import("../streaming/dial.ts");

export type SessionRpc = "RuntimeService/Exec" | "RuntimeService/Attach" | "RuntimeService/PortForward";

export interface OpenOptions extends Pick<PlanOptions, "gateway" | "sessions"> {
  readonly client: WaitingClient;
  /** Protocol over SPDY. */
  readonly protocol: string;
}

/**
 * Calls the RPC and dials the URL that it returns, once. Does nothing if the client has disconnected; leaves nothing
 * open if it disconnects later.
 */
export async function openConnection(
  { rpc }: SessionRoute,
  message: object,
  { gateway, sessions, client, protocol }: OpenOptions,
): Promise<SpdyConnection> {
  const { onCancel } = client;
  client.check();
  const answer = await call(gateway.runtime, rpc as SessionRpc, message, { onCancel });
  const options: DialOptions = { protocol, streamHost: sessions.streamHost, ca: sessions.streamCa, onCancel };
  const { dial } = await loadDialler();
  client.check();
  const connection = await dial(answer.url, options);
  if (client.gone) connection.destroy();
  client.check();
  return connection;
}
