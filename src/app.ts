/**
 * The composition root: builds one gateway for one runtime, with its parts in dependency order. Building does not
 * listen.
 */
import type { Server } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "./access/authorize.ts";
import { createAuthenticate, type VerifyJwt } from "./access/callers/authenticate.ts";
import { fileKeySource, urlKeySource } from "./access/callers/key-source.ts";
import { createKnownCallers } from "./access/callers/known-callers.ts";
import { createSignIns } from "./access/callers/sign-ins.ts";
import { createHostGuard } from "./access/hosts.ts";
import { createPodPolicy } from "./access/policy/pod-policy.ts";
import { createOutputBudget } from "./api/output-budget.ts";
import type { Audit } from "./audit/audit.ts";
import type { CallerLimits } from "./config/options.ts";
import { type Config, readPolicy, withPolicy } from "./config.ts";
import { createContainerdClient } from "./containerd/client.ts";
import type { Runtime } from "./cri/channel.ts";
import { StartError } from "./errors.ts";
import { withFailedStarts } from "./events/failed-starts.ts";
import { createNodeEvents, type NodeEventsOptions } from "./events/node-events.ts";
import { createStopRequests } from "./events/stop-requests.ts";
import type { Grants } from "./grants.ts";
import { createMetricsServer, createScrapes } from "./http/metrics.ts";
import { createServer, type ServerOptions } from "./http/server.ts";
import { createInventory, type Inventory } from "./inventory/inventory.ts";
import { withNameHints } from "./inventory/name-hints.ts";
import { createNodeLists } from "./inventory/node-lists.ts";
import { createAnonymousRequests } from "./limits/anonymous-requests.ts";
import { createCallerLimiter } from "./limits/caller-limiter.ts";
import { type Crowding, createConnections } from "./limits/connections.ts";
import { defaultLimits } from "./limits/default-limits.ts";
import { createKeptLogs } from "./logs/keeping/kept-logs.ts";
import type { LogKeeper, LogLimits } from "./logs/keeping/log-keeper.ts";
import { withLogsKept } from "./logs/keeping/with-logs-kept.ts";
import { nodeLogRoots } from "./logs/log-place.ts";
import { listedContainers } from "./logs/logged-containers.ts";
import { createContainerMetrics } from "./metrics/container-metrics.ts";
import { createGatewayMetrics } from "./metrics/gateway-metrics.ts";
import { createContainerdObserver } from "./pulls/containerd-observer.ts";
import { createPullRegistry, maxRunningPulls } from "./pulls/pull-registry.ts";
import { callerInterceptors } from "./runtimes/caller-interceptors.ts";
import { createCheckpointFinder } from "./runtimes/checkpoint-images.ts";
import { compose } from "./runtimes/compose.ts";
import { createDefaults } from "./runtimes/defaults.ts";
import { wellKnownSockets } from "./runtimes/discover.ts";
import { withFreeHostPorts } from "./runtimes/free-host-ports.ts";
import { withListLimit } from "./runtimes/list-limit.ts";
import { logRootOf } from "./runtimes/log-folders.ts";
import { withPodCgroups } from "./runtimes/pod-cgroup.ts";
import { withSafeCreates } from "./runtimes/safe-creates.ts";
import { withWholeLists } from "./runtimes/whole-lists.ts";
import { withoutZeroTimes } from "./runtimes/zero-time.ts";
import { descriptorLimit, shareDescriptors } from "./server/descriptors.ts";
import { createDrain } from "./server/drain.ts";
import { listenOn, stopListening } from "./server/listen.ts";
import { closeConnections } from "./server/listener.ts";
import type { LogEntry } from "./server/log-entry.ts";
import { createOverWatch } from "./server/over-watch.ts";
import { createCollector } from "./stats/collector.ts";
import { createMemoryReader } from "./stats/container-memory.ts";
import { createNodeReader } from "./stats/read-node.ts";
import { withStats } from "./stats/runtime.ts";
import { type Limits, defaultLimits as sessionLimits } from "./streaming/liveness.ts";
import { createSessionRegistry } from "./streaming/registry.ts";
import { closeCode } from "./streaming/socket.ts";
import type { TlsFiles, TlsIdentity } from "./tls/identity.ts";
import { watchTls } from "./tls/watch.ts";
import type { Tracing } from "./tracing/tracing.ts";
import { createBufferPool } from "./wire/buffer-pool.ts";

export interface AppOptions
  extends Pick<
    ServerOptions,
    "requestTimeoutMs" | "stallTimeoutMs" | "listSilenceMs" | "roomWaitMs" | "requestLog"
  > {
  readonly config: Pick<
    Config,
    "listen" | "dataDir" | "acceptHost" | "allowOrigin" | "grants" | "streamHost"
  > &
    Partial<
      Pick<
        Config,
        | "metricsListen"
        | "tokenFile"
        | "tokensFile"
        | "tokenFileHint"
        | "jwt"
        | "policy"
        | "runtimeEndpoint"
        | "imageEndpoint"
        | "auditFile"
      >
    >;
  readonly runtime: Runtime;
  /** The operator's token. */
  readonly token: string;
  readonly log: (entry: LogEntry) => void;
  /** Default: requests and calls are not traced. */
  readonly tracing?: Tracing | undefined;
  /** Default: no audit log. Its owner closes it, after the app. */
  readonly audit?: Audit | undefined;
  readonly sessions?: SessionSettings;
  /** Memory for responses that clients have not yet read. Default: 256 MiB. Sessions get half as much on top. */
  readonly maxBufferBytes?: number | undefined;
  /** What the operator has set of the limits of a caller. Default: everything with one caller, a part with several. */
  readonly callerLimits?: CallerLimits | undefined;
  /** Default: those of the settings. */
  readonly anonymousLimits?: Config["anonymousLimits"] | undefined;
  /** Finds callers besides the one with `token`. Default: there are none. */
  readonly otherCallers?: ((authorization: string | undefined) => Caller | undefined) | undefined;
  /** Maximum duration of an ExecSync command, in milliseconds. Default: 1 h. 0: no limit. */
  readonly execMaxMs?: number;
  /**
   * How large logs may become, and how long they are kept. The caller must have locked the data folder. Absent: logs are
   * left alone.
   */
  readonly logLimits?: LogLimits | undefined;
  /** How events are followed. For tests. */
  readonly events?: Pick<NodeEventsOptions, "lingerMs" | "listEveryMs">;
  /** Absent: no TLS. */
  readonly tls?: TlsSettings | undefined;
}

/** The gateway's certificate, and the files in which its successor will appear. */
export interface TlsSettings {
  readonly files: TlsFiles;
  readonly identity: TlsIdentity;
  /** Milliseconds between two reads of the files. Default: 10,000. */
  readonly everyMs?: number;
}

/** Limits of WebSocket sessions. Each has a default. */
export interface SessionSettings {
  readonly limits?: Partial<Limits>;
  /** How long to wait for a status that may never come, after a command's output has ended. Default: 30,000. */
  readonly statusGraceMs?: number;
  /** How long a kept session waits for its client. Default: 60,000. */
  readonly lingerMs?: number;
  /** Maximum number of open sessions. Default: 1000, the number of tokens that a runtime has. */
  readonly mostSessions?: number;
  /** CA certificates (PEM) for the runtime's streams, if they use TLS. */
  readonly streamCa?: string | undefined;
}

export interface App {
  /**
   * Listens as configured and returns the address: `http://127.0.0.1:8585`, `https://10.0.0.7:8585`, `unix:/path`.
   *
   * @throws {StartError} when it cannot listen there.
   */
  listen(): Promise<string>;
  /** Where metrics are served without a token; undefined when nowhere, and until `listen` has resolved. */
  readonly metricsAddress: string | undefined;
  /**
   * Refuses new requests, closes sessions, waits for responses in progress for up to `drainMs` (default 0) or until
   * `hurry` settles, and stops listening. Does not close the runtime, which belongs to the caller.
   */
  close(drainMs?: number, hurry?: Promise<unknown>): Promise<void>;
  /** The Fastify instance. Tests use it to send requests without a socket. */
  readonly server: ReturnType<typeof createServer>["app"];
}

export function createApp({
  config,
  token,
  log,
  requestTimeoutMs,
  stallTimeoutMs,
  ...options
}: AppOptions): App {
  const policy = readPolicy(config.policy);
  const grants = withPolicy(config.grants, policy);
  const callers = createKnownCallers({
    path: config.tokensFile ?? join(config.dataDir, "tokens.json"),
    grants,
    refuse(error) {
      const why = error instanceof Error ? error.message : String(error);
      log({ level: "error", message: `Keeping the callers as they were: ${why}`, error });
    },
  });
  const overWatch = createOverWatch();
  const jwt = config.jwt === undefined ? undefined : acceptJwt(config.jwt, grants, log);
  const { tracing } = options;
  const metrics = createGatewayMetrics();
  const traced = tracing?.interceptor(options.runtime) ?? options.runtime;
  const { runtime: adapted, inventory } = adapt(metrics.measured(traced));
  const events = createNodeEvents({
    runtime: adapted,
    ...options.events,
    observer: metrics.events,
    report(error) {
      const why = error instanceof Error ? error.message : String(error);
      log({ level: "warn", message: `Events of the runtime may be missing: ${why}`, error });
    },
  });
  const stops = createStopRequests();
  let keeper: LogKeeper | undefined;
  const runtime = compose(
    adapted,
    withFailedStarts(events),
    stops.intercept,
    withLogsKept(() => keeper),
  );
  const logRoot = logRootOf(config.dataDir);
  const keptLogs = createKeptLogs(config.dataDir);
  const {
    limits,
    statusGraceMs = 30_000,
    lingerMs: sessionLingerMs = 60_000,
    mostSessions = 1000,
    streamCa,
  } = options.sessions ?? {};
  const { maxConnections, maxStreams } = shareDescriptors(descriptorLimit(), mostSessions);
  if (maxStreams < mostSessions) {
    log({
      level: "warn",
      message: `This process may have too few open files for ${mostSessions} sessions: it takes ${maxStreams}; raise LimitNOFILE or ulimit -n, or set --max-sessions`,
    });
  }
  const sessions = createSessionRegistry({ most: maxStreams, onBegin: metrics.sessionBegan, overWatch });
  const { maxBufferBytes = defaultBufferBytes } = options;
  const connections = createConnections({
    perAddress: (options.anonymousLimits ?? defaultAnonymousLimits).connections,
    max: maxConnections,
    closed: logCrowding(log, { max: maxConnections, noted: metrics.limitReached }),
  });
  const drain = createDrain();
  const containerd = createContainerdClient(options.runtime);
  const observe = createContainerdObserver({ client: containerd, runtime });
  const pulls = createPullRegistry({ runtime, observe, ended: metrics.pulls.ended });
  const { tls } = options;
  const lists = createNodeLists(runtime, events);
  const readNode = createNodeReader({ runtime, lists });
  const usage = createCollector(readNode, lists);
  const containers = createContainerMetrics(readNode);
  const scrapes = createScrapes({
    gateway: metrics,
    containers,
    current: () => ({
      sessions: sessions.count,
      watchers: usage.watchers,
      eventReaders: events.readers,
      pulls: pulls.running,
      audit: options.audit?.counts,
    }),
  });
  const guardHost = createHostGuard(config.acceptHost, config.allowOrigin);
  const capacity = { sessions: maxStreams, connections: maxConnections, pulls: maxRunningPulls };
  const [alone, several] = [false, true].map((areSeveral) =>
    defaultLimits(capacity, { areSeveral, given: options.callerLimits }),
  ) as [CallerLimits, CallerLimits];
  const areSeveral = (): boolean =>
    options.otherCallers !== undefined || jwt !== undefined || callers.count > 0;
  const signIns = createSignIns();
  const authenticate = createAuthenticate({
    ...{ token, tokenFile: config.tokenFile, grants, known: callers, signIns },
    verifyJwt: jwt && (async (text) => (await jwt())(text)),
  });
  const { app: server, warmUp } = createServer({
    ...{ runtime, inventory, events, stops },
    readMemory: createMemoryReader({ runtime, usage }),
    defaults: createDefaults({
      runtime,
      logRoot,
      execMaxMs: options.execMaxMs ?? defaultExecMaxMs,
    }),
    policy: createPodPolicy({ level: policy.level, logRoot, kept: keptFrom(config) }),
    findCheckpoints: createCheckpointFinder(runtime, containerd),
    allowOrigin: config.allowOrigin,
    logRoots: [logRoot, ...nodeLogRoots],
    containersOf: (view) => listedContainers({ ...view, logRoot }),
    keptLogs,
    pulls,
    pool: createBufferPool(),
    budget: createOutputBudget(maxBufferBytes),
    listSilenceMs: options.listSilenceMs,
    roomWaitMs: options.roomWaitMs,
    requestLog: options.requestLog,
    audit: options.audit,
    tracing,
    guardHost,
    connections,
    limits: createCallerLimiter({
      defaults: () => (areSeveral() ? several : alone),
      refused: metrics.limitReached,
    }),
    anonymous: createAnonymousRequests({
      perSecond: (options.anonymousLimits ?? defaultAnonymousLimits).requestsPerSecond,
      refused: () => metrics.limitReached("anonymousRequestsPerSecond"),
    }),
    tokenFileHint: config.tokenFileHint ?? '"$CREST_TOKEN_FILE"',
    authenticate(credentials) {
      return options.otherCallers?.(credentials.authorization) ?? authenticate(credentials);
    },
    ...{ callers, signIns, overWatch },
    ...{ usage, metrics, scrapes },
    ...{ log, drain, tls: tls?.identity.context },
    sessions: {
      registry: sessions,
      output: createOutputBudget(Math.floor(maxBufferBytes / 2)),
      limits: { ...sessionLimits, ...limits },
      statusGraceMs,
      lingerMs: sessionLingerMs,
      streamHost: config.streamHost,
      streamCa,
    },
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
  });
  let isClosing = false;
  /** Loaded late, because nothing waits for it. */
  async function keepLogs(limits: LogLimits): Promise<void> {
    const { startLogKeeper } = await import("./logs/keeping/log-keeper.ts");
    if (isClosing) return;
    keeper = startLogKeeper({
      ...{ runtime: adapted, changes: events, dataDir: config.dataDir, limits, kept: keptLogs },
      rotated: metrics.logs.rotated,
      warn: (message, error) => log({ level: "warn", message, error }),
    });
  }
  const { listen, metricsListen } = config;
  const metricsServer = metricsListen && createMetricsServer(scrapes, guardHost);
  let metricsAddress: string | undefined;
  const listener = server.server;
  let renewal: { close(): void } | undefined;
  return {
    server,
    get metricsAddress() {
      return metricsAddress;
    },
    async listen() {
      await server.ready();
      const address = await listenOn(listener, listen, { hasTls: tls !== undefined });
      if (metricsServer !== undefined && metricsListen !== undefined)
        metricsAddress = await listenForMetrics(metricsServer, metricsListen);
      if (tls !== undefined) renewal = renew(tls, listener, log);
      const { logLimits } = options;
      void Promise.all([logLimits && keepLogs(logLimits), jwt?.(), warmUp()]).catch((error: unknown) => {
        log({ level: "error", message: "Cannot load what sessions, logs or the pages need", error });
      });
      return address;
    },
    async close(drainMs = 0, hurry = new Promise(() => {})) {
      isClosing = true;
      callers.close();
      const kept = keeper?.close();
      renewal?.close();
      metrics.close();
      if (metricsServer !== undefined) {
        void stopListening(metricsServer);
        closeConnections(metricsServer);
      }
      events.close();
      const told = sessions.close(closeCode.goingAway, "the gateway is shutting down");
      // The process that passed the socket keeps listening: new connections are for the next gateway.
      const released = "fd" in listen ? stopListening(listener) : undefined;
      const ended = Promise.all([drain.begin(), told]).then(() => lingerMs);
      const late = sleep(drainMs, 0, { ref: false });
      const waitMs = await Promise.race([ended, late, hurry.then(() => 0)]);
      const cutOff = (): void => closeConnections(listener);
      // Repeatedly: until the end, clients may still connect and stay silent.
      const timer = setInterval(cutOff, lingerMs);
      const closed = Promise.all([told, released ?? stopListening(listener), server.close(), kept]);
      if (waitMs === 0) setImmediate(cutOff);
      await Promise.race([closed, hurry]);
      clearInterval(timer);
      // Those whose callers wait have had their time. Nobody waits for a detached one.
      pulls.close();
    },
  };
}

/**
 * Adapts a runtime for the routes, so that all runtimes behave alike, and creates the inventory of its pods and
 * containers.
 */
export function adapt(transport: Runtime): { readonly runtime: Runtime; readonly inventory: Inventory } {
  const whole = compose(transport, withoutZeroTimes, withListLimit, withWholeLists);
  const inventory = withNameHints(createInventory(whole), whole);
  const runtime = compose(
    whole,
    withSafeCreates,
    withPodCgroups((id) => inventory.podOf("pod", id)),
    withFreeHostPorts,
    withStats,
    ...callerInterceptors,
  );
  return { runtime, inventory };
}

/** Returns what loads the check of JSON Web Tokens. @throws {StartError} if the file of keys cannot be used. */
function acceptJwt(
  settings: NonNullable<Config["jwt"]>,
  grants: Grants,
  log: AppOptions["log"],
): () => Promise<VerifyJwt> {
  const report = (message: string): void => log({ level: "warn", message });
  const { jwks } = settings;
  const source = jwks.startsWith("/") ? fileKeySource(jwks, report) : urlKeySource(jwks, report);
  let loaded: Promise<VerifyJwt> | undefined;
  return () => {
    loaded ??= import("./access/callers/jwt.ts").then(({ createVerifyJwt }) =>
      createVerifyJwt({ settings, source, grants }),
    );
    return loaded;
  };
}

/** What no pod may reach, whatever is granted of the node: Crest's own files, and whatever serves the CRI. */
function keptFrom({
  dataDir,
  tokenFile,
  tokensFile,
  runtimeEndpoint,
  imageEndpoint,
  auditFile,
}: AppOptions["config"]): readonly string[] {
  const own = [dataDir, tokenFile, tokensFile, runtimeEndpoint, imageEndpoint, auditFile].filter(
    (path) => path !== undefined,
  );
  return [...own, ...wellKnownSockets];
}

const defaultAnonymousLimits: Config["anonymousLimits"] = { connections: 4096, requestsPerSecond: 100 };
const defaultBufferBytes = 256 * 1024 * 1024;
const defaultExecMaxMs = 3_600_000;

/** How long clients may take to read the end of a response, and silent ones to leave. */
const lingerMs = 500;

/** Minimum time between two log entries about closed connections. */
const dropLogMs = 60_000;

/** Counts connections that had to make room, and logs them for the operator. */
function logCrowding(
  log: AppOptions["log"],
  { max, noted }: { readonly max: number | undefined; readonly noted: (limit: string) => void },
): (why: Crowding) => void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  return (why) => {
    noted("anonymousConnections");
    if (performance.now() - loggedAt < dropLogMs) return;
    loggedAt = performance.now();
    const reason =
      why === "address"
        ? "its address has as many as --anonymous-connections"
        : `${max} are open, as many as the open files allow`;
    log({ level: "warn", message: `Closed a connection without a valid token: ${reason}` });
  };
}

/** @throws {StartError} naming `--metrics-listen`. */
async function listenForMetrics(
  server: Server,
  listen: NonNullable<Config["metricsListen"]>,
): Promise<string> {
  try {
    return await listenOn(server, listen, { hasTls: false });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message.replace("--listen", "--metrics-listen"), { cause: error });
  }
}

/** Puts renewed certificates into use. Open connections keep theirs. */
function renew(
  { files, identity, everyMs }: TlsSettings,
  listener: Server,
  log: AppOptions["log"],
): { close(): void } {
  return watchTls({
    ...{ files, identity },
    ...(everyMs === undefined ? {} : { everyMs }),
    use({ context, validTo }) {
      (listener as HttpsServer).setSecureContext(context);
      const until = validTo.toISOString();
      log({ level: "info", message: `The certificate was renewed: ${files.cert} is valid until ${until}` });
    },
    refuse(error) {
      const why = error instanceof Error ? error.message : String(error);
      log({ level: "warn", message: `Keeping the current certificate: ${why}` });
    },
  });
}
