/**
 * The composition root: one gateway in front of one runtime, built from its parts in the order of
 * their dependence. Building does not listen.
 */
import { rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { connect as connectTo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createHostGuard } from "./auth/hosts.ts";
import { createAuthenticator } from "./auth/token.ts";
import { formatHost, isLoopback } from "./config/addresses.ts";
import type { Config, ListenAddress } from "./config.ts";
import type { Runtime } from "./cri/channel.ts";
import { createInventory } from "./cri/inventory.ts";
import { logRootOf } from "./cri/log-folders.ts";
import { withPodCgroups } from "./cri/pod-cgroup.ts";
import { createPrepare } from "./cri/prepare.ts";
import { StartError } from "./errors.ts";
import { createDrain } from "./http/drain.ts";
import { createServer, type LogEntry, type ServerOptions } from "./http/server.ts";
import { withStats } from "./stats/runtime.ts";
import { defaultLimits, type Limits } from "./streaming/liveness.ts";
import { createSessionRegistry } from "./streaming/registry.ts";
import { closeCode } from "./streaming/socket.ts";
import type { TlsFiles, TlsIdentity } from "./tls/identity.ts";
import { watchTls } from "./tls/watch.ts";
import { createBufferPool } from "./wire/buffer-pool.ts";

export interface AppOptions extends Pick<ServerOptions, "requestTimeoutMs"> {
  readonly config: Pick<Config, "listen" | "dataDir" | "acceptHost" | "grants" | "streamHost">;
  readonly runtime: Runtime;
  /** What callers prove themselves with. */
  readonly token: string;
  readonly log: (entry: LogEntry) => void;
  readonly sessions?: SessionSettings;
  /** Absent: no TLS. */
  readonly tls?: TlsSettings | undefined;
}

/** The gateway's certificate, and where its successor will be found. */
export interface TlsSettings {
  readonly files: TlsFiles;
  readonly identity: TlsIdentity;
  /** How often the files are read again; default 10 s. */
  readonly everyMs?: number;
}

/** What WebSocket sessions are bounded by; each has a default. */
export interface SessionSettings {
  readonly limits?: Partial<Limits>;
  /** How long a command's status may come after its output has ended, where it may be missing; default 30 s. */
  readonly statusGraceMs?: number;
  /** Sessions open at once; default 1000, as many as a runtime has tokens for. */
  readonly mostSessions?: number;
  /** PEM certificates for the runtime's streams, where they have TLS. */
  readonly streamCa?: string | undefined;
}

export interface App {
  /**
   * Listens as configured and answers the address: `http://127.0.0.1:8585`, `https://10.0.0.7:8585`,
   * `unix:/path`.
   *
   * @throws {StartError}
   */
  listen(): Promise<string>;
  /**
   * Refuses what is new, tells sessions that it goes, lets answers under way end within `drainMs` (default 0),
   * or until `hurry` settles, and stops listening. The runtime stays the caller's to close.
   */
  close(drainMs?: number, hurry?: Promise<unknown>): Promise<void>;
  /** Answers a request without a socket, for tests. */
  readonly server: ReturnType<typeof createServer>;
}

export function createApp({ config, token, log, requestTimeoutMs, ...options }: AppOptions): App {
  const checkToken = createAuthenticator(token);
  const caller = { name: "token", grants: config.grants };
  const inventory = createInventory(options.runtime);
  const runtime = withStats(withPodCgroups(options.runtime, (id) => inventory.podOf("pod", id)));
  const { limits, statusGraceMs = 30_000, mostSessions = 1000, streamCa } = options.sessions ?? {};
  const sessions = createSessionRegistry({ most: mostSessions });
  const drain = createDrain();
  const listeners: Server[] = [];
  const { tls } = options;
  const server = createServer({
    ...{ runtime, inventory },
    prepare: createPrepare({ runtime, logRoot: logRootOf(config.dataDir) }),
    pool: createBufferPool(),
    guardHost: createHostGuard(config.acceptHost),
    authenticate(authorization) {
      checkToken(authorization);
      return caller;
    },
    ...{ log, drain, tls: tls?.identity.context },
    onListener: (listener) => listeners.push(listener),
    sessions: {
      registry: sessions,
      limits: { ...defaultLimits, ...limits },
      statusGraceMs,
      streamHost: config.streamHost,
      streamCa,
    },
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  });
  const { listen } = config;
  let renewal: { close(): void } | undefined;
  return {
    server,
    async listen() {
      const address = await listenOn(server, listen, tls !== undefined);
      if (tls !== undefined) renewal = renew(tls, listeners, log);
      return address;
    },
    async close(drainMs = 0, hurry = new Promise(() => {})) {
      renewal?.close();
      const told = sessions.close(closeCode.goingAway, "the gateway is shutting down");
      // Whoever passed the socket goes on listening: what comes now is for the next gateway.
      const released = "fd" in listen ? promisify(server.server.close.bind(server.server))() : undefined;
      const ended = Promise.all([drain.begin(), told]).then(() => lingerMs);
      const late = sleep(drainMs, 0, { ref: false });
      const waitMs = await Promise.race([ended, late, hurry.then(() => 0)]);
      const cutOff = (): void => {
        for (const listener of listeners) listener.closeAllConnections();
      };
      // Again and again: until the end, somebody may still connect and say nothing.
      const timer = setInterval(cutOff, lingerMs);
      const closed = Promise.all([told, released, server.close()]);
      if (waitMs === 0) setImmediate(cutOff);
      await Promise.race([closed, hurry]);
      clearInterval(timer);
    },
  };
}

/** How long clients have for the end of an answer that was given, and silent ones to go. */
const lingerMs = 500;

/** @throws {StartError} */
async function listenOn(
  server: ReturnType<typeof createServer>,
  listen: ListenAddress,
  hasTls: boolean,
): Promise<string> {
  if ("fd" in listen) return await adopt(server, listen.fd, hasTls);
  if ("host" in listen) {
    const { host, port } = listen;
    await server.listen({ host, port }).catch(cannotListen(formatHost(host), port));
    return addressOf(server, hasTls);
  }
  await removeDeadSocket(listen.path);
  // For its owner only, from the first moment.
  const umask = process.umask(0o177);
  try {
    await server.listen({ path: listen.path }).catch(cannotListen(listen.path));
  } finally {
    process.umask(umask);
  }
  return `unix:${listen.path}`;
}

function addressOf(server: ReturnType<typeof createServer>, hasTls: boolean): string {
  const bound = server.server.address();
  if (bound === null || typeof bound === "string") return `unix:${bound ?? ""}`;
  return `${hasTls ? "https" : "http"}://${formatHost(bound.address)}:${bound.port}`;
}

/** Serves on a socket that listens already. */
async function adopt(server: ReturnType<typeof createServer>, fd: number, hasTls: boolean): Promise<string> {
  // Fastify would make an address of its own.
  await server.ready();
  await new Promise<void>((resolve, reject) => {
    server.server.once("error", reject).once("listening", resolve).listen({ fd });
  }).catch(cannotListen("fd", fd));
  const bound = server.server.address();
  if (typeof bound === "object" && bound !== null && !isLoopback(bound.address) && !hasTls) {
    await server.close();
    throw new StartError(
      `--listen=fd:${fd} is ${formatHost(bound.address)}:${bound.port}, not loopback, which is refused without TLS: add --tls-cert=FILE and --tls-key=FILE`,
    );
  }
  return bound === null || typeof bound === "string" ? `unix:fd:${fd}` : addressOf(server, hasTls);
}

/** Puts renewed certificates into use: connections that are open go on with theirs. */
function renew(
  { files, identity, everyMs }: TlsSettings,
  listeners: readonly Server[],
  log: AppOptions["log"],
): { close(): void } {
  return watchTls({
    ...{ files, identity },
    ...(everyMs === undefined ? {} : { everyMs }),
    use({ context, validTo }) {
      for (const listener of listeners) (listener as HttpsServer).setSecureContext(context);
      const until = validTo.toISOString();
      log({ level: "info", message: `The certificate was renewed: ${files.cert} is valid until ${until}` });
    },
    refuse(error) {
      const why = error instanceof Error ? error.message : String(error);
      log({ level: "warn", message: `The certificate in use stays: ${why}` });
    },
  });
}

function cannotListen(...where: readonly (string | number)[]): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const why = error.code === "EADDRINUSE" ? "something else listens there" : (error.code ?? error.message);
    throw new StartError(`Cannot listen on ${where.join(":")}: ${why}, choose another with --listen`, {
      cause: error,
    });
  };
}

/** A socket file that a killed gateway left behind is in the way; one that is answered is not ours to take. */
async function removeDeadSocket(path: string): Promise<void> {
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connectTo(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (refused) await rm(path, { force: true });
}
