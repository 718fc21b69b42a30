/**
 * The life of a gateway: finds or starts its runtime, listens, announces itself, and shuts down in reverse order,
 * whatever the reason.
 */
import { join } from "node:path";
import type { TracerProvider } from "@opentelemetry/api";
import { loadToken } from "./access/token.ts";
import { type AnnouncedTexts, announce } from "./announce.ts";
import { createApp, type TlsSettings } from "./app.ts";
import type { Audit } from "./audit/audit.ts";
import { callableAddress } from "./callable-address.ts";
import type { Config } from "./config.ts";
import { connect, type Runtime } from "./cri/channel.ts";
import { StartError } from "./errors.ts";
import { readTrustedFile } from "./files/trusted-file.ts";
import { reasonOf } from "./files/trusted-path.ts";
import { lockFolder, makeDataFolder } from "./folder-lock.ts";
import { recordLocalGateway } from "./local-gateway.ts";
import { discover } from "./runtimes/discover.ts";
import { logRootOf } from "./runtimes/log-folders.ts";
import { removeAllPods } from "./runtimes/remove-pods.ts";
import { isLogged, type LogEntry } from "./server/log-entry.ts";
import { createNotify, type Notify, startWatchdog } from "./service-manager.ts";
import { checkTlsPaths, loadTls } from "./tls/identity.ts";
import type { Tracing } from "./tracing/tracing.ts";

/** The interface between a gateway and the process or program that runs it. */
export interface Surroundings {
  /** Shows a message to the user: that the gateway is ready, or what it is waiting for. */
  readonly say: (text: string) => void;
  /** Logs an entry of the configured level or of a more important one. */
  readonly log: (entry: LogEntry) => void;
  /** Texts for when the gateway is ready and while its runtime does not answer. */
  readonly texts: (state: GatewayState) => AnnouncedTexts;
  /** Settles with a reason when the gateway should stop. */
  readonly stopRequested: Promise<string>;
  /** Settles when it should stop without waiting for responses in progress. */
  readonly stopAgain: Promise<unknown>;
  /** The service manager's socket for readiness and stop notifications. */
  readonly notifySocket?: string | undefined;
  /** Milliseconds after which the service manager kills a gateway that sends nothing there. */
  readonly watchdogMs?: number | undefined;
  /**
   * Where the environment asks programs to send traces, if the configuration names no collector. A gateway that cannot
   * trace for lack of packages says so and starts.
   */
  readonly otlpEndpoint?: string | undefined;
  /** Where a program sends its traces. */
  readonly tracerProvider?: { getTracer(name: string, version?: string): object } | undefined;
  /** Called once with the address when the gateway listens: `http://127.0.0.1:8585`, `unix:/path`. */
  readonly ready?: (address: string) => void;
}

/** A gateway that is listening. */
export interface GatewayState {
  readonly config: Config;
  readonly address: string;
  /** Expiry date of the certificate, if there is one. */
  readonly validTo: Date | undefined;
}

/** Why a gateway has ended. */
export interface Ending {
  readonly reason: string;
  /** Whether the gateway stopped because its private runtime exited. */
  readonly failed: boolean;
}

/** The runtime behind a gateway. */
interface Backend {
  readonly runtime: Runtime;
  /** Settles when the runtime has exited by itself; never for a runtime that the gateway did not start. */
  readonly exited: Promise<string>;
  close(): Promise<void>;
}

/**
 * Runs until it is asked to stop or the private runtime exits.
 *
 * @throws {StartError} when it cannot start. Nothing is left running then.
 */
export async function runGateway(config: Config, around: Surroundings): Promise<Ending> {
  const { log } = around;
  const least = config.logLevel;
  return runAt(config, {
    ...around,
    log(entry) {
      if (isLogged(entry.level, least)) log(entry);
    },
  });
}

async function runAt(config: Config, around: Surroundings): Promise<Ending> {
  const tls = await readTls(config);
  await makeDataFolder(config.dataDir, [logRootOf(config.dataDir)]);
  const token = config.token ?? (await loadToken(config.tokenFile ?? join(config.dataDir, "token")));
  const lock = await lockFolder(config.dataDir);
  let audit: Audit | undefined;
  try {
    audit = await openAudit(config, around);
    return await runLocked(config, around, { token, tls, audit });
  } finally {
    await audit?.close();
    await lock.close();
  }
}

/** Loads nothing of the audit log unless it is wanted. */
async function openAudit(config: Config, { log }: Surroundings): Promise<Audit | undefined> {
  if (config.auditFile === undefined && config.auditWebhook === undefined) return undefined;
  const { startAudit } = await import("./audit/audit.ts");
  return startAudit(config, { log });
}

/** What is ready before the runtime is. */
interface Prepared {
  readonly token: string;
  readonly tls: TlsSettings | undefined;
  readonly audit: Audit | undefined;
}

async function runLocked(
  config: Config,
  around: Surroundings,
  { token, tls, audit }: Prepared,
): Promise<Ending> {
  const notify = createNotifier(around);
  let watchdog: { close(): void } | undefined;
  let announced: { close(): void } | undefined;
  let forgetAddress = async (): Promise<void> => {};
  const traces = await startTraces(config, around);
  const { runtime, exited, close } = await openRuntime(config, around.say);
  try {
    const app = createApp({
      config,
      token,
      runtime,
      tls,
      maxBufferBytes: config.maxBufferBytes,
      callerLimits: config.callerLimits,
      anonymousLimits: config.anonymousLimits,
      sessions: {
        limits: { idleMs: config.sessionIdleMs, maxMs: config.sessionMaxMs },
        statusGraceMs: config.statusGraceMs,
        lingerMs: config.sessionLingerMs,
        mostSessions: config.maxSessions,
        streamCa: readStreamCa(config.streamCaFile),
      },
      execMaxMs: config.execMaxMs,
      logLimits: config,
      log: around.log,
      tracing: traces?.tracing,
      audit,
      // At a level without them, requests are not even counted.
      requestLog: isLogged("info", config.logLevel)
        ? { log: around.log, probes: isLogged("debug", config.logLevel) }
        : undefined,
    });
    try {
      const address = await app.listen();
      const { metricsAddress } = app;
      if (metricsAddress !== undefined)
        around.say(
          `Metrics are at ${metricsAddress}/metrics and ${metricsAddress}/metrics/cadvisor, without a token`,
        );
      if (config.token === undefined)
        forgetAddress = await recordLocalGateway(config.dataDir, {
          address: callableAddress(address, config),
          tokenFile: config.tokenFile ?? join(config.dataDir, "token"),
          caFile: config.tls?.certFile,
        });
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
      await forgetAddress();
      await app.close(config.drainMs, around.stopAgain);
      watchdog?.close();
    }
  } finally {
    await close();
    await traces?.close();
  }
}

/** What makes spans, and what sends the last of them. */
interface Traces {
  readonly tracing: Tracing;
  close(): Promise<void>;
}

/** Undefined unless traces are wanted. Loads nothing of OpenTelemetry then. */
async function startTraces(
  { otlpEndpoint }: Config,
  { otlpEndpoint: environmentEndpoint, tracerProvider, log }: Surroundings,
): Promise<Traces | undefined> {
  const endpoint = otlpEndpoint ?? environmentEndpoint;
  if (endpoint === undefined && tracerProvider === undefined) return undefined;
  const { createTracing } = await import("./tracing/tracing.ts");
  if (tracerProvider !== undefined)
    return { tracing: createTracing(tracerProvider as TracerProvider), close: async () => {} };
  if (endpoint === undefined) return undefined;
  const { startOtlp } = await import("./tracing/otlp.ts");
  try {
    const { provider, close } = await startOtlp({ endpoint, log });
    return { tracing: createTracing(provider), close };
  } catch (error) {
    // The variable is for every program on the node, and no reason for this one not to start.
    if (otlpEndpoint !== undefined || !(error instanceof StartError)) throw error;
    const message = error.message.replace("--otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT");
    log({ level: "warn", message: `No traces: ${message}` });
    return undefined;
  }
}

/** Does nothing without a service manager. If a notification fails, the gateway logs that and continues. */
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

/** A runtime named in the configuration may start after the gateway. To be discovered, it must be running. */
async function findRuntime(config: Config): Promise<Backend> {
  const { runtimeEndpoint, imageEndpoint } = config;
  const image = imageEndpoint === undefined ? {} : { imageEndpoint };
  const runtime =
    runtimeEndpoint === undefined ? await discover(image) : connect({ runtimeEndpoint, ...image });
  return { runtime, exited: new Promise(() => {}), close: async () => runtime.close() };
}

/** Called before anything is started, so that a bad certificate fails fast. */
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
