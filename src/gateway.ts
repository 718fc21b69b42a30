/**
 * The life of a gateway: find or start its runtime, listen, say how to use it, and end in the reverse
 * order, whatever the reason.
 */
import { announce } from "./announce.ts";
import { createApp, type TlsSettings } from "./app.ts";
import { loadToken } from "./auth/token.ts";
import { banner } from "./banner.ts";
import type { Command, Config } from "./config.ts";
import { connect, type Runtime } from "./cri/channel.ts";
import { discover } from "./cri/discover.ts";
import { logRootOf } from "./cri/log-folders.ts";
import { removeAllPods } from "./cri/remove-pods.ts";
import { cutText } from "./cri/runtime-text.ts";
import { StartError } from "./errors.ts";
import { readTrustedFile } from "./files/trusted-file.ts";
import { reasonOf } from "./files/trusted-path.ts";
import { lockFolder, makeDataFolder } from "./folder-lock.ts";
import type { LogEntry } from "./http/server.ts";
import { createNotify, type Notify, startWatchdog } from "./service-manager.ts";
import { checkTlsPaths, loadTls } from "./tls/identity.ts";

export interface GatewayOptions {
  /** Prints a line for the person at the terminal. */
  readonly say: (line: string) => void;
  /** Prints a line of the log. */
  readonly log: (line: string) => void;
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

/** The runtime that a gateway stands in front of. */
interface Backend {
  readonly runtime: Runtime;
  /** Settles when the runtime has ended by itself; never for one that is not ours. */
  readonly exited: Promise<string>;
  close(): Promise<void>;
}

type Serving = Extract<Command, { readonly config: Config }>;

/**
 * Runs until it is told to stop or the private runtime ends. Answers the process's exit code.
 *
 * @throws {StartError} when it cannot start; nothing is left running then.
 */
export async function runGateway({ name, config }: Serving, options: GatewayOptions): Promise<number> {
  const tls = await readTls(config);
  await makeDataFolder(config.dataDir, [logRootOf(config.dataDir)]);
  const token = await loadToken(config.tokenFile);
  const lock = await lockFolder(config.dataDir);
  try {
    return await runLocked({ name, config }, options, { token, tls });
  } finally {
    await lock.close();
  }
}

async function runLocked(
  { name, config }: Serving,
  options: GatewayOptions,
  { token, tls }: { readonly token: string; readonly tls: TlsSettings | undefined },
): Promise<number> {
  const notify = createNotifier(options);
  let watchdog: { close(): void } | undefined;
  let announced: { close(): void } | undefined;
  const backend = name === "up" ? await startPrivate(config, options.say) : await findRuntime(config);
  try {
    const app = createApp({
      config,
      token,
      ...{ runtime: backend.runtime, tls },
      maxBufferBytes: config.maxBuffer,
      sessions: {
        limits: { idleMs: config.sessionIdle, maxMs: config.sessionMax },
        statusGraceMs: config.statusGrace,
        mostSessions: config.maxSessions,
        streamCa: readStreamCa(config.streamCa),
      },
      execMaxMs: config.execMax,
      log: (entry) => options.log(logLine(entry)),
    });
    try {
      const address = await app.listen();
      announced = await announce({
        runtime: backend.runtime,
        address,
        say: options.say,
        notify,
        banner: (runtime) =>
          banner({ command: name, config, address, runtime, validTo: tls?.identity.validTo }),
      });
      if (options.watchdogMs !== undefined) watchdog = startWatchdog(notify, options.watchdogMs);
      options.ready?.(address);
      const reason = await Promise.race([
        options.stopRequested.then((signal) => ({ code: 0, text: `${signal}: stopping` })),
        backend.exited.then((text) => ({ code: 1, text: `The private runtime ended: ${text}` })),
      ]);
      options.say(reason.text);
      void notify("STOPPING=1");
      return reason.code;
    } finally {
      announced?.close();
      await app.close(config.drain, options.stopAgain);
      watchdog?.close();
    }
  } finally {
    await backend.close();
  }
}

/** Without a service manager nothing is said; one that does not hear is no reason to end. */
function createNotifier({ notifySocket, log }: GatewayOptions): Notify {
  if (notifySocket === undefined) return async () => {};
  const notify = createNotify(notifySocket);
  return (...variables) =>
    notify(...variables).catch((error: Error) =>
      log(logLine({ level: "warn", message: error.message, error })),
    );
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
async function readTls({ tlsCert, tlsKey, tlsClientCa }: Config): Promise<TlsSettings | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const files = {
    cert: tlsCert,
    key: tlsKey,
    ...(tlsClientCa === undefined ? {} : { clientCa: tlsClientCa }),
  };
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

/** One line of JSON, for what went wrong on our side or the runtime's most of all. */
function logLine({ error, ...entry }: LogEntry): string {
  const { stack, cause } = error instanceof Error ? error : { stack: String(error), cause: undefined };
  const detail =
    entry.level === "error"
      ? { stack }
      : { cause: cause instanceof Error ? cutText(cause.message) : undefined };
  return JSON.stringify({ time: new Date().toISOString(), ...entry, ...detail });
}
