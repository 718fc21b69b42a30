/**
 * WebSocket routes. Everything that can fail does so before the 101, as a problem: authentication and the
 * route's grant, the handshake, the parameters, the id, the state, the RPC, the dial. The handler behind
 * it only bridges.
 */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorize, type Caller, canChangeUnmanaged, requireManaged } from "../auth/authorize.ts";
import type { Runtime } from "../cri/channel.ts";
import { isMissingCommand } from "../cri/conflicts.ts";
import type { Inventory, Kind } from "../cri/inventory.ts";
import { listeningPorts } from "../cri/listening-ports.ts";
import { request as callRuntime } from "../cri/perform.ts";
import { managedLabel } from "../cri/pod-config.ts";
import { secretsIn, withoutSecrets } from "../cri/secrets.ts";
import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { type Bridged, bridge } from "../streaming/bridge.ts";
import { channelCodec, type Subprotocol } from "../streaming/channels.ts";
import {
  type CommandSession,
  createCommandSession,
  firstSign,
  messageOf,
  type StreamChoice,
} from "../streaming/command-session.ts";
import type { DialOptions } from "../streaming/dial.ts";
import type { Limits } from "../streaming/liveness.ts";
import type { WaitingOutput } from "../streaming/outflow.ts";
import { bridgePorts, createForwarded, type Forwarded } from "../streaming/port-forward.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { type Prepared, type WaitingClient, whileThere } from "../streaming/while-there.ts";
import { type Bound, createBinder, invalid } from "./bind.ts";
import { encodeBound, type Gateway, partsOf } from "./gateway.ts";
import type { OutputBudget } from "./output-budget.ts";
import { forgetAnswer } from "./pending-answers.ts";
import { routerPath } from "./register.ts";
import { type ChosenProtocols, checkHandshake, chooseProtocol } from "./websockets.ts";

export interface SessionOptions {
  readonly registry: SessionRegistry;
  readonly limits: Limits;
  /** For output that waits for the clients. */
  readonly output: OutputBudget;
  /** See `CommandSessionOptions`. */
  readonly statusGraceMs: number;
  readonly streamHost?: string | undefined;
  readonly streamCa?: string | undefined;
}

export function registerSession(
  app: FastifyInstance,
  route: SessionRoute,
  {
    gateway,
    sessions,
    chosen,
  }: { readonly gateway: Gateway; readonly sessions: SessionOptions; readonly chosen: ChosenProtocols },
): void {
  const ready = new WeakMap<FastifyRequest, (socket: WebSocket) => void>();
  const plan =
    route.rpc === "RuntimeService/PortForward"
      ? forwardOf(route, gateway, sessions)
      : commandOf(route, gateway, sessions);
  const [, path = ""] = route.http.split(" ");
  app.route({
    method: "GET",
    url: routerPath(path),
    onRequest: async (request) => authorize(route, gateway.callerOf(request)),
    preHandler: async (request) => {
      if (!request.ws) return;
      checkHandshake(request);
      const subprotocol = chooseProtocol(route, request.raw);
      if (subprotocol !== undefined) chosen.set(request.raw, subprotocol);
      const { places, prepare } = plan(request, subprotocol);
      const { registry } = sessions;
      ready.set(request, await whileThere(request.raw.socket, { registry, places }, prepare));
    },
    handler: async () => {
      throw new GatewayError(
        "upgrade_required",
        `${route.http} is a WebSocket: connect with Upgrade: websocket`,
        {
          headers: { upgrade: "websocket", connection: "upgrade" },
        },
      );
    },
    wsHandler: (socket: WebSocket, request: FastifyRequest) => {
      const begin = ready.get(request);
      if (!begin) throw new TypeError("A WebSocket without a session");
      forgetAnswer(request.raw.socket);
      // The plugin's listener would keep request and reply as long; the bridge has one of its own.
      socket.removeAllListeners("error");
      begin(socket);
    },
  });
}

/** A session whose parameters have been checked, before the runtime is asked. */
interface Plan {
  /** Connections to the runtime that it opens. */
  readonly places: number;
  readonly prepare: (client: WaitingClient) => Promise<Prepared>;
}

/** Checks the parameters of a request. @throws {GatewayError} `invalid_request`. */
type PlanOf = (request: FastifyRequest, subprotocol: Subprotocol | undefined) => Plan;

/** Exec and Attach. */
function commandOf(route: SessionRoute, gateway: Gateway, sessions: SessionOptions): PlanOf {
  const binder = createBinder(route);
  const isAttach = route.rpc === "RuntimeService/Attach";
  return (request, subprotocol) => {
    const bound = binder.bind(partsOf(request));
    const streams = completeStreams(bound);
    if (!isAttach && !(bound.message.cmd as readonly string[] | undefined)?.length) {
      throw invalid([
        { parameter: "command", detail: "is missing: give it once per word, command=ls&command=-l" },
      ]);
    }
    encodeBound(route.rpc, bound.message, binder);
    const secrets = secretsIn(route.rpc, bound.message);
    const caller = gateway.callerOf(request);
    const prepare = async (client: WaitingClient): Promise<Prepared> => {
      await resolveTarget(bound, "container", { gateway, caller });
      const connection = await open(route, bound.message, {
        gateway,
        sessions,
        client,
        protocol: "v4.channel.k8s.io",
      }).catch((error: unknown) => {
        throw withoutSecrets(error, secrets);
      });
      const session = createCommandSession(connection, streams, sessions);
      if (!isAttach) {
        await requireStart(session, client, bound.message).catch((error: unknown) => {
          throw withoutSecrets(error, secrets);
        });
      }
      return {
        abandon: () => connection.destroy(),
        begin: (socket, peer) =>
          counted(sessions, caller, (waiting) =>
            bridge(socket, session, {
              streams,
              codec: channelCodec(subprotocol),
              limits: sessions.limits,
              waiting,
              neverStall: isAttach,
              peer,
            }),
          ),
      };
    };
    return { places: 1, prepare };
  };
}

/** @throws {GatewayError} `command_not_found` when the runtime says so before it says anything else. */
async function requireStart(session: CommandSession, client: WaitingClient, request: unknown): Promise<void> {
  const outcome = await firstSign(session, client.onCancel);
  const message = outcome !== undefined && "status" in outcome ? messageOf(outcome.status) : "";
  if (!client.gone && !isMissingCommand(message, request)) return;
  session.connection.destroy();
  client.check();
  throw new GatewayError("command_not_found", `Exec failed: ${message}`);
}

/** PortForward: a session of its own for every port. */
function forwardOf(route: SessionRoute, gateway: Gateway, sessions: SessionOptions): PlanOf {
  const binder = createBinder(route);
  return (request, subprotocol) => {
    const bound = binder.bind(partsOf(request));
    encodeBound(route.rpc, bound.message, binder);
    const raw = bound.own.raw === true;
    const { channels } = channelCodec(subprotocol);
    // More ports than the registry has places would be refused for ever, as if waiting could help.
    const most = Math.min(mostPorts, Math.floor(channels / 2), sessions.registry.most);
    const ports = portsOf(bound, raw, most);
    const caller = gateway.callerOf(request);
    const prepare = async (client: WaitingClient): Promise<Prepared> => {
      await resolveTarget(bound, "pod", { gateway, caller });
      const podSandboxId = String(bound.message.podSandboxId);
      await requireListener(gateway.runtime, podSandboxId, { ports, client });
      const opened: Forwarded[] = [];
      const abandon = (): void => {
        for (const { connection } of opened) connection.destroy();
      };
      try {
        for (const port of ports) {
          const message = { podSandboxId, port: [port] };
          const connection = await open(route, message, {
            gateway,
            sessions,
            client,
            protocol: "portforward.k8s.io",
          });
          opened.push(createForwarded(connection, port));
        }
      } catch (error) {
        abandon();
        throw error;
      }
      return {
        abandon,
        begin: (socket, peer) =>
          counted(sessions, caller, (waiting) =>
            bridgePorts(socket, opened, { subprotocol, raw, limits: sessions.limits, waiting, peer }),
          ),
      };
    };
    return { places: ports.length, prepare };
  };
}

/** A pod may open its ports one after the other: only if none of them is open, nothing can come of the session. */
async function requireListener(
  runtime: Runtime,
  podSandboxId: string,
  { ports, client }: { readonly ports: readonly number[]; readonly client: WaitingClient },
): Promise<void> {
  const listening = await listeningPorts(runtime, podSandboxId, { onCancel: client.onCancel });
  client.check();
  if (listening === undefined || ports.some((port) => listening.has(port))) return;
  throw new GatewayError(
    "not_listening",
    `Cannot forward to port ${ports.join(", ")}: nothing listens on it in pod "${podSandboxId}"`,
  );
}

/** Only sessions need an HTTP client, whose import takes as long as half of the start. */
export const loadDialler = () => import("../streaming/dial.ts");

/** Begins a session whose waiting output is counted for its caller until it has ended. */
function counted(
  { output }: SessionOptions,
  { name }: Caller,
  begin: (waiting: WaitingOutput) => Bridged,
): Bridged {
  const waiting = output.reserve(name, 0);
  const session = begin(waiting);
  void session.ended.finally(waiting.release);
  return session;
}

type SessionRpc = "RuntimeService/Exec" | "RuntimeService/Attach" | "RuntimeService/PortForward";

/** Calls the RPC and dials what it answers, once. Without a client it does not begin, and nothing is left open. */
async function open(
  { rpc }: SessionRoute,
  message: object,
  {
    gateway,
    sessions,
    client,
    protocol,
  }: {
    readonly gateway: Gateway;
    readonly sessions: SessionOptions;
    readonly client: WaitingClient;
    readonly protocol: string;
  },
) {
  const { onCancel } = client;
  client.check();
  const answer = await callRuntime(gateway.runtime, rpc as SessionRpc, message, { onCancel });
  const options: DialOptions = { protocol, streamHost: sessions.streamHost, ca: sessions.streamCa, onCancel };
  const { dial } = await loadDialler();
  client.check();
  const connection = await dial(answer.url, options);
  if (client.gone) connection.destroy();
  client.check();
  return connection;
}

async function resolveTarget(
  { message }: Bound,
  kind: Kind,
  { gateway, caller }: { readonly gateway: { readonly inventory: Inventory }; readonly caller: Caller },
): Promise<void> {
  const field = kind === "pod" ? "podSandboxId" : "containerId";
  const id = await gateway.inventory.resolve(kind, String(message[field]));
  if (!canChangeUnmanaged(caller)) {
    const pod = await gateway.inventory.podOf(kind, id);
    requireManaged({ ...pod, managed: pod.labels[managedLabel] === "true" }, caller);
  }
  message[field] = id;
}

/**
 * Output is on unless it is switched off, and input is off unless it is switched on, as with kubectl. A terminal has
 * one output: runtimes refuse to be asked for a second one, and clients ask for it all the same.
 */
function completeStreams({ message }: Bound): StreamChoice {
  const tty = message.tty === true;
  const streams = {
    stdin: message.stdin === true,
    stdout: message.stdout !== false,
    stderr: message.stderr !== false && !tty,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw invalid([{ parameter: "stdout", detail: "one of stdin, stdout and stderr must be true" }]);
  }
  Object.assign(message, streams);
  return streams;
}

function portsOf({ message }: Bound, raw: boolean, most: number): readonly number[] {
  const ports = (message.port as readonly number[] | undefined) ?? [];
  const wrong = ports.find((port) => port < 1 || port > 65535);
  if (ports.length === 0)
    throw invalid([{ parameter: "ports", detail: "is missing: name the pod's port, ports=80" }]);
  if (wrong !== undefined)
    throw invalid([{ parameter: "ports", detail: `must be from 1 to 65535, got ${wrong}` }]);
  if (raw && ports.length > 1) throw invalid([{ parameter: "ports", detail: "must be one port with raw" }]);
  if (ports.length > most) throw invalid([{ parameter: "ports", detail: `must be at most ${most}` }]);
  return ports;
}

/** A connection to the runtime for each; a channel is one byte, and two belong to a port. */
const mostPorts = 100;
