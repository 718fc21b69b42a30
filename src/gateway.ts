/**
 * The life of a gateway: find or start its runtime, listen, say how to use it, and end in the reverse
 * order, whatever the reason.
 */
import { join } from "node:path";
import { loadToken } from "./access/token.ts";
import { type AnnouncedTexts, announce } from "./announce.ts";
import { createApp, type TlsSettings } from "./app.ts";
import type { Config } from "./config.ts";
import { connect, type Runtime } from "./cri/channel.ts";
import { StartError } from "./errors.ts";
import { readTrustedFile } from "./files/trusted-file.ts";
import { reasonOf } from "./files/trusted-path.ts";
import { lockFolder, makeDataFolder } from "./folder-lock.ts";
import type { LogEntry } from "./http/server.ts";
import { discover } from "./runtimes/discover.ts";
import { logRootOf } from "./runtimes/log-folders.ts";
import { removeAllPods } from "./runtimes/remove-pods.ts";
import { createNotify, type Notify, startWatchdog } from "./service-manager.ts";
import { checkTlsPaths, loadTls } from "./tls/identity.ts";

/** What a gateway tells the process or the program around it, and what it is told. */
export interface Surroundings {
  /** Takes what a person should know: that the gateway is ready, or what it waits for. */
  readonly say: (text: string) => void;
  readonly log: (entry: LogEntry) => void;
  /** What to say when the gateway is ready, and while its runtime does not answer. */
  readonly texts: (state: GatewayState) => AnnouncedTexts;
  /** Settles with the reason when the gateway shall end. */
  readonly stopRequested: Promise<string>;
  /** Settles when it shall end without waiting for answers under way. */
  readonly stopAgain: Promise<unknown>;
  /** Where a service manager waits to be told that the gateway serves, and that it ends. */
  readonly notifySocket?: string | undefined;
  /** Milliseconds after which it kills a gateway that says nothing there. */
  readonly watchdogMs?: number | undefined;
  /** Called once with the address when it listens: `http://127.0.0.1:8585`, `unix:/path`. */
  readonly ready?: (address: string) => void;
}

/** A gateway that listens. */
export interface GatewayState {
  readonly config: Config;
  readonly address: string;
  /** Until when the certificate is valid, where there is one. */
  readonly validTo: Date | undefined;
}

/** Why a gateway has ended. */
export interface Ending {
  readonly reason: string;
  /** Whether it ended by itself, because its private runtime did. */
  readonly failed: boolean;
}

/** The runtime that a gateway stands in front of. */
interface Backend {
  readonly runtime: Runtime;
  /** Settles when the runtime has ended by itself; never for one that is not ours. */
  readonly exited: Promise<string>;
  close(): Promise<void>;
}

/**
 * Runs until it is told to stop or the private runtime ends.
 *
 * @throws {StartError} when it cannot start; nothing is left running then.
 */
export async function runGateway(config: Config, around: Surroundings): Promise<Ending> {
  const tls = await readTls(config);
  await makeDataFolder(config.dataDir, [logRootOf(config.dataDir)]);
  const token = config.token ?? (await loadToken(config.tokenFile ?? join(config.dataDir, "token")));
  const lock = await lockFolder(config.dataDir);
  try {
    return await runLocked(config, around, { token, tls });
  } finally {
    await lock.close();
  }
}

async function runLocked(
  config: Config,
  around: Surroundings,
  { token, tls }: { readonly token: string; readonly tls: TlsSettings | undefined },
): Promise<Ending> {
  const notify = createNotifier(around);
  let watchdog: { close(): void } | undefined;
  let announced: { close(): void } | undefined;
  const { runtime, exited, close } = await openRuntime(config, around.say);
  try {
    const app = createApp({
      config,
      token,
      runtime,
      tls,
      maxBufferBytes: config.maxBufferBytes,
      sessions: {
        limits: { idleMs: config.sessionIdleMs, maxMs: config.sessionMaxMs },
        statusGraceMs: config.statusGraceMs,
        mostSessions: config.maxSessions,
        streamCa: readStreamCa(config.streamCaFile),
      },
      execMaxMs: config.execMaxMs,
      log: around.log,
    });
    try {
      const address = await app.listen();
      const { ready, waiting } = around.texts({ config, address, validTo: tls?.identity.validTo });
      announced = await announce({ runtime, address, say: around.say, notify, ready, waiting });
      if (around.watchdogMs !== undefined) watchdog = startWatchdog(notify, around.watchdogMs);
      around.ready?.(address);
      const ending = await Promise.race([
        around.stopRequested.then((reason) => ({ reason: `${reason}: stopping`, failed: false })),
        exited.then((reason) => ({ reason: `The private runtime ended: ${reason}`, failed: true })),
      ]);
      around.say(ending.reason);
      void notify("STOPPING=1");
      return ending;
    } finally {
      announced?.close();
      await app.close(config.drainMs, around.stopAgain);
      watchdog?.close();
    }
  } finally {
    await close();
  }
}

/** Without a service manager nothing is said; one that does not hear is no reason to end. */
function createNotifier({ notifySocket, log }: Surroundings): Notify {
  if (notifySocket === undefined) return async () => {};
  const notify = createNotify(notifySocket);
  return (...variables) =>
    notify(...variables).catch((error: Error) => log({ level: "warn", message: error.message, error }));
}

function openRuntime(config: Config, say: (line: string) => void): Promise<Backend> {
  return config.runtime === "embedded" ? startPrivate(config, say) : findRuntime(config);
}

async function startPrivate(config: Config, say: (line: string) => void): Promise<Backend> {
  const { createEmbedded } = await import("./embedded/containerd.ts");
  const embedded = await createEmbedded({
    dataDir: config.dataDir,
    install: config.install,
    report: say,
    removePods: removeAllPods,
  });
  const runtime = connect({ runtimeEndpoint: embedded.socket });
  return {
    runtime,
    exited: embedded.exited,
    async close() {
      runtime.close();
      await embedded.close();
    },
  };
}

/** A runtime that was named may come later than the gateway; one that was not must be there to be found. */
async function findRuntime(config: Config): Promise<Backend> {
  const { runtimeEndpoint, imageEndpoint } = config;
  const image = imageEndpoint === undefined ? {} : { imageEndpoint };
  const runtime =
    runtimeEndpoint === undefined ? await discover(image) : connect({ runtimeEndpoint, ...image });
  return { runtime, exited: new Promise(() => {}), close: async () => runtime.close() };
}

/** Before anything is started: a bad certificate costs no time. */
async function readTls({ tls }: Config): Promise<TlsSettings | undefined> {
  if (tls === undefined) return undefined;
  const { certFile: cert, keyFile: key, clientCaFile: clientCa } = tls;
  const files = { cert, key, ...(clientCa === undefined ? {} : { clientCa }) };
  checkTlsPaths(files);
  return { files, identity: await loadTls(files) };
}

function readStreamCa(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readTrustedFile(path).toString("utf8");
  } catch (error) {
    throw new StartError(`--stream-ca: cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
