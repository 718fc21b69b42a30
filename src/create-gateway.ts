/** Runs a gateway inside another program. */
import type { GatewaySettings } from "./config/options.ts";
import { configOf, nameOptions } from "./config.ts";
import { StartError } from "./errors.ts";
import { runGateway, type Surroundings } from "./gateway.ts";
import { isLogged, type LogLevel } from "./server/log-entry.ts";

/** Details of a log message. Members about a request are absent from other messages. */
export interface LogDetails {
  /** Id of the related request, as in its `X-Request-Id` header. */
  readonly requestId?: string | undefined;
  readonly method?: string | undefined;
  /** The path as the API documents it, such as `/v1/pods/{podSandboxId}`; absent where no route matches. */
  readonly route?: string | undefined;
  /** Path of the request, without its query, where there is no `route` or the request failed. */
  readonly path?: string | undefined;
  /** A stream or session is logged at its `start` and at its `end`, any other request once, without this member. */
  readonly event?: "start" | "end" | undefined;
  /** HTTP status; 101 for a WebSocket. Absent when the client left before it got one. */
  readonly status?: number | undefined;
  /** The code of the problem, when the request was refused or failed. */
  readonly code?: string | undefined;
  readonly caller?: string | undefined;
  /** The grant that the route needs. */
  readonly grant?: string | undefined;
  /** `pods/ID` or `containers/ID`, where the request names or has created one. */
  readonly target?: string | undefined;
  readonly durationMs?: number | undefined;
  /** Bytes of the body that was sent; for a stream or session, bytes sent over the connection. */
  readonly bytes?: number | undefined;
  /** Bytes received in a session. */
  readonly bytesReceived?: number | undefined;
  /** The code with which a WebSocket was closed. */
  readonly closeCode?: number | undefined;
  /** The connection ended before the response did. */
  readonly aborted?: true | undefined;
  readonly error?: unknown;
}

/** Receives log messages. `console` is a valid logger. */
export interface Logger {
  /** Health probes, with `logLevel: "debug"`. Default: they are not logged. */
  debug?(message: string, details?: LogDetails): void;
  /**
   * Each request, when its response has ended. Also: the gateway is ready, waits for its runtime, has loaded a renewed
   * certificate, or stops.
   */
  info(message: string, details?: LogDetails): void;
  /** The runtime did something wrong, or a setting should be checked. */
  warn(message: string, details?: LogDetails): void;
  /** A bug in the gateway itself. */
  error(message: string, details?: LogDetails): void;
}

/** A `TracerProvider` of `@opentelemetry/api`, which need not be installed for programs that have none. */
export interface TracerProvider {
  getTracer(name: string, version?: string): object;
}

export interface GatewayOptions extends GatewaySettings {
  /** Default: no logging. The log never contains secrets from requests. */
  readonly logger?: Logger | undefined;
  /**
   * Receives a span for each request and each call to the runtime. Not together with `otlpEndpoint`. The gateway neither
   * flushes nor shuts it down. Default: no traces.
   */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Closes the gateway when aborted, like `close()`. A pending `listen()` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Gateway {
  /**
   * Starts the gateway and resolves to its `address` once it listens. The runtime may still be down at that point:
   * `/readyz` reports it, and requests get 503 until the runtime answers. Further calls return the same promise.
   *
   * @throws {StartError} when the gateway cannot start: the address is in use, files cannot be read or others can
   *   change them, or no runtime is found. Nothing is left running.
   */
  listen(): Promise<string>;
  /**
   * The address that the gateway listens on: `http://127.0.0.1:8585`, `https://10.0.0.7:8585`, `unix:/path`.
   *
   * @throws {Error} until `listen()` has resolved.
   */
  readonly address: string;
  /** Path of the file with the token that callers send; undefined if the option `token` was set. */
  readonly tokenFile: string | undefined;
  /**
   * Settles when the gateway has ended. Resolves after `close()`; rejects if `listen()` failed or the embedded runtime
   * exited by itself. A rejection need not be handled.
   */
  readonly closed: Promise<void>;
  /**
   * Refuses new requests, gives responses in progress `drainMs` to finish, closes sessions, and stops what the gateway
   * started. Resolves when nothing is left. Can be called at any time, and repeatedly.
   */
  close(): Promise<void>;
}

/**
 * Creates a gateway; `listen()` starts it.
 *
 * It installs no signal handlers, changes nothing outside itself, and can run in a worker thread. Several gateways can
 * run in one process, each with its own `dataDir`. From the environment it reads only HOME and XDG_STATE_HOME, for the
 * default of `dataDir`.
 *
 * @example
 * const gateway = createGateway({ listen: "127.0.0.1:0", grants: { allow: { read: true } } });
 * const address = await gateway.listen();
 * await gateway.close();
 *
 * @throws {StartError} when an option is unknown, has a wrong type or value, or conflicts with another. The message
 *   starts with the option's name.
 */
export function createGateway(options: GatewayOptions = {}): Gateway {
  if (typeof options !== "object" || options === null) throw new StartError("The options: must be an object");
  const { logger, tracerProvider, signal, ...settings } = options;
  checkLogger(logger);
  checkTracerProvider(tracerProvider, settings);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new StartError("signal: must be an AbortSignal");
  }
  const config = inOptions(() => configOf(settings));
  /** Aborted by `close()` and by the caller's signal. */
  const stopping = new AbortController();
  const abort = (): void => stop(signal?.reason);
  let listening: Promise<string> | undefined;
  let address: string | undefined;
  let settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void };
  const closed = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Callers need not handle `closed`.
  closed.catch(ignore);

  function stop(reason: unknown): void {
    signal?.removeEventListener("abort", abort);
    stopping.abort(reason);
    if (listening === undefined) settle.resolve();
  }

  async function start(): Promise<string> {
    stopping.signal.throwIfAborted();
    address = await new Promise<string>((ready, failed) => {
      const running = runGateway(
        config,
        surroundingsOf({
          logger,
          logLevel: config.logLevel,
          tracerProvider,
          stopping: stopping.signal,
          ready,
        }),
      );
      running
        .then(({ failed: isFailure, reason }) => {
          if (isFailure) throw new Error(reason);
        })
        .finally(() => signal?.removeEventListener("abort", abort))
        .then(settle.resolve, (error: unknown) => {
          const told = inWordsOfOptions(error);
          failed(told);
          settle.reject(told);
        });
    });
    if (stopping.signal.aborted) await closed;
    stopping.signal.throwIfAborted();
    return address;
  }

  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort);

  return {
    listen() {
      listening ??= start();
      return listening;
    },
    get address() {
      if (address === undefined) throw new Error("The gateway has no address yet: await listen()");
      return address;
    },
    tokenFile: config.tokenFile,
    closed,
    async close() {
      stop(new Error("The gateway was closed"));
      await closed.catch(ignore);
    },
  };
}

interface Life {
  readonly logger: Logger | undefined;
  readonly logLevel: LogLevel;
  readonly tracerProvider: TracerProvider | undefined;
  readonly stopping: AbortSignal;
  readonly ready: (address: string) => void;
}

function surroundingsOf({ logger, logLevel, tracerProvider, stopping, ready }: Life): Surroundings {
  return {
    say(text) {
      if (isLogged("info", logLevel)) logger?.info(text);
    },
    log({ level, message, ...details }) {
      // A message about a request may quote the runtime, so it is not rewritten.
      logger?.[level]?.(details.requestId === undefined ? nameOptions(message) : message, details);
    },
    texts: ({ address }) => ({
      ready: (runtime) => `Crest serves ${address} in front of ${runtime}`,
      waiting: (trouble) =>
        `Crest listens at ${address}, but its runtime does not answer yet: ${nameOptions(trouble)}`,
    }),
    stopRequested: new Promise((resolve) => {
      const stopped = (): void => resolve("close()");
      if (stopping.aborted) stopped();
      else stopping.addEventListener("abort", stopped, { once: true });
    }),
    stopAgain: new Promise(ignore),
    tracerProvider,
    ready,
  };
}

const ignore = (): void => undefined;

function checkLogger(logger: Logger | undefined): void {
  for (const level of ["info", "warn", "error"] as const) {
    if (logger !== undefined && typeof logger?.[level] !== "function") {
      throw new StartError("logger: must have the functions info, warn and error, as console does");
    }
  }
}

function checkTracerProvider(provider: TracerProvider | undefined, { otlpEndpoint }: GatewaySettings): void {
  if (provider === undefined) return;
  if (typeof provider?.getTracer !== "function") {
    throw new StartError("tracerProvider: must be a TracerProvider of OpenTelemetry");
  }
  if (otlpEndpoint !== undefined) {
    throw new StartError("tracerProvider: not together with otlpEndpoint, leave one of them out");
  }
}

function inOptions<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw inWordsOfOptions(error);
  }
}

/** Messages refer to flags. Rewrites them to name options, which is what a program sets. */
function inWordsOfOptions(error: unknown): unknown {
  return error instanceof StartError
    ? new StartError(nameOptions(error.message), { cause: error.cause })
    : error;
}
