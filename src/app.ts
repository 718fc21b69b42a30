/**
 * The composition root: one gateway in front of one runtime, built from its parts in the order of
 * their dependence. Building does not listen.
 */
import { rm } from "node:fs/promises";
import { connect as connectTo } from "node:net";
import { join } from "node:path";
import { createHostGuard } from "./auth/hosts.ts";
import { createAuthenticator } from "./auth/token.ts";
import type { Config } from "./config.ts";
import type { Runtime } from "./cri/channel.ts";
import { createInventory } from "./cri/inventory.ts";
import { createPrepare } from "./cri/prepare.ts";
import { StartError } from "./errors.ts";
import { createServer, type LogEntry, type ServerOptions } from "./http/server.ts";
import { withStats } from "./stats/runtime.ts";
import { defaultLimits, type Limits } from "./streaming/liveness.ts";
import { createSessionRegistry } from "./streaming/registry.ts";
import { closeCode } from "./streaming/socket.ts";
import { createBufferPool } from "./wire/buffer-pool.ts";

export interface AppOptions extends Pick<ServerOptions, "requestTimeoutMs"> {
  readonly config: Pick<Config, "listen" | "dataDir" | "acceptHost" | "grants" | "streamHost">;
  readonly runtime: Runtime;
  /** What callers prove themselves with. */
  readonly token: string;
  readonly log: (entry: LogEntry) => void;
  readonly sessions?: SessionSettings;
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
  /** Listens as configured and answers the address: `http://127.0.0.1:8585`, `unix:/path`. @throws {StartError} */
  listen(): Promise<string>;
  /** Stops listening, lets answers under way end within `drainMs`. The runtime stays the caller's to close. */
  close(drainMs?: number): Promise<void>;
  /** Answers a request without a socket, for tests. */
  readonly server: ReturnType<typeof createServer>;
}

export function createApp({ config, token, log, requestTimeoutMs, ...options }: AppOptions): App {
  const checkToken = createAuthenticator(token);
  const caller = { name: "token", grants: config.grants };
  const runtime = withStats(options.runtime);
  const { limits, statusGraceMs = 30_000, mostSessions = 1000, streamCa } = options.sessions ?? {};
  const sessions = createSessionRegistry({ most: mostSessions });
  const server = createServer({
    runtime,
    inventory: createInventory(runtime),
    prepare: createPrepare({ runtime, logRoot: join(config.dataDir, "logs") }),
    pool: createBufferPool(),
    guardHost: createHostGuard(config.acceptHost),
    authenticate(authorization) {
      checkToken(authorization);
      return caller;
    },
    log,
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
  return {
    server,
    async listen() {
      if ("host" in listen) {
        return await server
          .listen({ host: listen.host, port: listen.port })
          .catch(cannotListen(listen.host, listen.port));
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
    },
    async close(drainMs = 0) {
      const told = sessions.close(closeCode.goingAway, "the gateway is shutting down");
      const late = setTimeout(() => server.server.closeAllConnections(), drainMs);
      await Promise.all([told, server.close()]);
      clearTimeout(late);
    },
  };
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
