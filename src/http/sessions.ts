/**
 * WebSocket routes. Everything that can fail does so before the 101, as a problem: authentication and the
 * route's grant, the handshake, the parameters, the id, the state, the RPC, the dial. The handler behind
 * it only bridges.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorize, type Caller, canChangeUnmanaged, requireManaged } from "../auth/authorize.ts";
import { CallCancelled } from "../cri/channel.ts";
import type { Inventory, Kind } from "../cri/inventory.ts";
import { request as callRuntime } from "../cri/perform.ts";
import { managedLabel } from "../cri/pod-config.ts";
import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { type Bridged, bridge } from "../streaming/bridge.ts";
import {
  bearerPrefix,
  channelCodec,
  isProtocolList,
  offeredProtocols,
  type Subprotocol,
} from "../streaming/channels.ts";
import { createCommandSession, type StreamChoice } from "../streaming/command-session.ts";
import type { DialOptions } from "../streaming/dial.ts";
import type { Limits } from "../streaming/liveness.ts";
import { bridgePorts, createForwarded, type Forwarded } from "../streaming/port-forward.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { type Bound, createBinder, invalid } from "./bind.ts";
import { encodeBound, type Gateway, partsOf } from "./gateway.ts";
import { routerPath } from "./register.ts";

export interface SessionOptions {
  readonly registry: SessionRegistry;
  readonly limits: Limits;
  /** How long a command's status may come after its output has ended. */
  readonly statusGraceMs: number;
  readonly streamHost?: string | undefined;
  readonly streamCa?: string | undefined;
}

/** A session that stands at the runtime's side and waits for its WebSocket. */
interface Prepared {
  readonly begin: (socket: WebSocket) => Bridged;
  /** There will be no WebSocket. */
  readonly abandon: () => void;
}

/** The subprotocol of a handshake, chosen before `ws` asks for it. */
export type ChosenProtocols = WeakMap<IncomingMessage, string>;

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
  const prepare =
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
      ready.set(
        request,
        await whileThere(request.raw.socket, sessions.registry, (client) =>
          prepare(request, { client, subprotocol }),
        ),
      );
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
      begin(socket);
    },
  });
}

/** Whose connection a session is prepared for. */
interface Client {
  /** Refuses to go on for nobody. @throws {Error} once the client has left, or the gateway is to end. */
  check(): void;
  /** Called with what gives a step of the preparation up. */
  readonly onCancel: (cancel: () => void) => void;
}

interface Preparation {
  readonly client: Client;
  readonly subprotocol: Subprotocol | undefined;
}

type Prepare = (request: FastifyRequest, preparation: Preparation) => Promise<Prepared>;

/**
 * Prepares a session, unless its client leaves meanwhile, and answers what begins it. Nothing stays behind
 * either way, nor when the WebSocket does not come about.
 */
async function whileThere(
  socket: Socket,
  registry: SessionRegistry,
  prepare: (client: Client) => Promise<Prepared>,
): Promise<(socket: WebSocket) => void> {
  const client = watch(socket);
  const place = registry.reserve(client.giveUp);
  try {
    client.check();
    const session = await prepare(client);
    const drop = (): void => {
      session.abandon();
      place.release();
    };
    socket.once("close", drop);
    return (webSocket) => {
      socket.off("close", drop);
      place.hold(session.begin(webSocket));
    };
  } catch (error) {
    place.release();
    throw client.gone ?? error;
  } finally {
    client.unwatch();
  }
}

/** Notices that a client leaves. Before the 101 the end of its side alone says so. */
function watch(socket: Socket) {
  const cancels: (() => void)[] = [];
  let gone: Error | undefined;

  function giveUp(why: Error): void {
    if (gone) return;
    gone = why;
    for (const cancel of cancels) cancel();
  }
  function leave(): void {
    giveUp(new CallCancelled("The client left before the session stood"));
    socket.destroy();
  }

  if (socket.destroyed || socket.readableEnded) leave();
  socket.on("end", leave);
  socket.on("close", leave);
  return {
    giveUp,
    get gone() {
      return gone;
    },
    check() {
      if (gone) throw gone;
    },
    onCancel: (cancel: () => void) => void cancels.push(cancel),
    unwatch() {
      // A session keeps this closure alive, which would keep the calls of its preparation: 25 KB each.
      cancels.length = 0;
      socket.off("end", leave);
      socket.off("close", leave);
    },
  };
}

/** Exec and Attach. */
function commandOf(route: SessionRoute, gateway: Gateway, sessions: SessionOptions): Prepare {
  const binder = createBinder(route);
  const isAttach = route.rpc === "RuntimeService/Attach";
  return async (request, { client, subprotocol }) => {
    const bound = binder.bind(partsOf(request));
    const streams = completeStreams(bound);
    if (!isAttach && !(bound.message.cmd as readonly string[] | undefined)?.length) {
      throw invalid([
        { parameter: "command", detail: "is missing: give it once per word, command=ls&command=-l" },
      ]);
    }
    encodeBound(route.rpc, bound.message, binder);
    await resolveTarget(bound, "container", { gateway, caller: gateway.callerOf(request) });
    const connection = await open(route, bound.message, {
      gateway,
      sessions,
      client,
      protocol: "v4.channel.k8s.io",
    });
    const session = createCommandSession(connection, streams, sessions);
    return {
      abandon: () => connection.destroy(),
      begin: (socket) =>
        bridge(socket, session, {
          streams,
          codec: channelCodec(subprotocol),
          limits: sessions.limits,
          neverStall: isAttach,
        }),
    };
  };
}

/** PortForward: a session of its own for every port. */
function forwardOf(route: SessionRoute, gateway: Gateway, sessions: SessionOptions): Prepare {
  const binder = createBinder(route);
  return async (request, { client, subprotocol }) => {
    const bound = binder.bind(partsOf(request));
    encodeBound(route.rpc, bound.message, binder);
    const raw = bound.own.raw === true;
    const { channels } = channelCodec(subprotocol);
    const ports = portsOf(bound, raw, Math.min(mostPorts, Math.floor(channels / 2)));
    await resolveTarget(bound, "pod", { gateway, caller: gateway.callerOf(request) });
    const { podSandboxId } = bound.message;
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
      begin: (socket) => bridgePorts(socket, opened, { subprotocol, raw, limits: sessions.limits }),
    };
  };
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
    readonly client: Client;
    readonly protocol: string;
  },
) {
  const { onCancel } = client;
  client.check();
  const answer = await callRuntime(gateway.runtime, rpc as SessionRpc, message, { onCancel });
  const options: DialOptions = { protocol, streamHost: sessions.streamHost, ca: sessions.streamCa, onCancel };
  // Only sessions need an HTTP client.
  const { dial } = await import("../streaming/dial.ts");
  client.check();
  const connection = await dial(answer.url, options);
  try {
    client.check();
  } catch (gone) {
    connection.destroy();
    throw gone;
  }
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

/** With no stream named, the output is meant. What runtimes refuse is refused here, before they are asked. */
function completeStreams({ message }: Bound): StreamChoice {
  const named = ["stdin", "stdout", "stderr"].some((name) => message[name] !== undefined);
  const tty = message.tty === true;
  if (!named) Object.assign(message, { stdout: true, stderr: !tty });
  const streams = {
    stdin: message.stdin === true,
    stdout: message.stdout === true,
    stderr: message.stderr === true,
    tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw invalid([{ parameter: "stdout", detail: "one of stdin, stdout and stderr must be true" }]);
  }
  if (tty && streams.stderr) {
    throw invalid([
      { parameter: "stderr", detail: "must be false with tty: a terminal has one output, stdout" },
    ]);
  }
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

/**
 * Refuses a handshake that is none. `ws` looks at it only after the session stands, so what it would refuse
 * is refused before.
 *
 * @throws {GatewayError} `method_not_allowed`, `upgrade_required`, `invalid_request`.
 */
function checkHandshake({ method, headers }: FastifyRequest): void {
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
 * @throws {GatewayError} `invalid_request` where only unknown ones are offered, or what is no list of names.
 */
function chooseProtocol(route: SessionRoute, { headers }: IncomingMessage): Subprotocol | undefined {
  const header = headers["sec-websocket-protocol"];
  const offered = offeredProtocols(header).filter((name) => !name.startsWith(bearerPrefix));
  const found = route.subprotocols.find((name) => offered.includes(name));
  if (found === undefined && offered.length > 0) {
    throw new GatewayError(
      "invalid_request",
      `Cannot speak ${offered.join(", ")}: this WebSocket has ${route.subprotocols.join(", ")}`,
    );
  }
  if (!isProtocolList(header)) {
    throw new GatewayError("invalid_request", "Sec-WebSocket-Protocol is no list of different names");
  }
  return found as Subprotocol | undefined;
}
