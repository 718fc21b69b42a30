/** The only way from options to a configuration that is checked, complete with defaults and frozen. */
import { join } from "node:path";
import { StartError } from "../errors.ts";
import { type GrantSet, type Grants, grantWordNames } from "../grants.ts";
import { formatHost, isEveryAddress, type ReadOptions } from "./addresses.ts";
import { checkJwt } from "./check-jwt.ts";
import { checkListening, checkMetricsListening } from "./check-listening.ts";
import { checkOptions, type PlaceOf } from "./check-options.ts";
import { defaultDataDir } from "./data-dir.ts";
import type {
  CallerLimits,
  GatewaySettings,
  GrantOptions,
  GrantRules,
  JwtAlgorithm,
  JwtOptions,
  ListenAddress,
  TlsOptions,
} from "./options.ts";
import { itemsOf, options as schema, settings } from "./settings.ts";
import { readers } from "./values.ts";

export type Environment = { readonly [name: string]: string | undefined };

/**
 * Every decision of the operator, resolved and frozen.
 *
 * Paths are absolute. The endpoints are paths of Unix sockets. `acceptHost` holds every name accepted in a Host header,
 * without ports, IPv6 in brackets. An absent `streamHost` means loopback.
 */
export interface Config {
  readonly runtime: "existing" | "embedded";
  readonly runtimeEndpoint?: string;
  readonly imageEndpoint?: string;
  readonly listen: ListenAddress;
  readonly metricsListen?: ListenAddress;
  readonly tls?: TlsOptions;
  readonly dataDir: string;
  readonly streamHost?: string;
  readonly streamCaFile?: string;
  /** Set if the token was given directly, not in a file. */
  readonly token?: string;
  /** Absent if the token was given directly. */
  readonly tokenFile?: string;
  readonly tokensFile: string;
  readonly jwt?: JwtSettings;
  /**
   * How public pages name the token file, as a shell word. Usual locations appear as a generic path, any other as a
   * variable, so that strangers learn no path of this node.
   */
  readonly tokenFileHint: string;
  readonly acceptHost: readonly string[];
  /** Absent: only the gateway's own. */
  readonly allowOrigin?: readonly string[];
  readonly maxSessions: number;
  readonly sessionIdleMs: number;
  readonly sessionMaxMs: number;
  readonly sessionLingerMs: number;
  readonly execMaxMs: number;
  readonly statusGraceMs: number;
  /** `baseline`, `restricted`, or the path of a policy file. */
  readonly policy: string;
  readonly maxBufferBytes: number;
  /** Only what the operator has set. */
  readonly callerLimits?: CallerLimits;
  readonly anonymousLimits: { readonly connections: number; readonly requestsPerSecond: number };
  /** The least important entries that are logged. */
  readonly logLevel: "error" | "warn" | "info" | "debug";
  /** The base address of the OpenTelemetry collector, without a slash at its end. */
  readonly otlpEndpoint?: string;
  readonly logMaxSizeBytes: number;
  readonly logMaxFiles: number;
  readonly logKeepMs: number;
  readonly logTotalBytes: number;
  readonly auditFile?: string;
  readonly auditLevel: "changes" | "all";
  readonly auditMaxSizeBytes: number;
  readonly auditMaxFiles: number;
  readonly auditWebhook?: string;
  readonly auditWebhookTokenFile?: string;
  readonly drainMs: number;
  readonly install: boolean;
  /** The most that this process lets any caller do. */
  readonly grants: Grants;
}

/** Where JSON Web Tokens come from, and what they must be. */
export interface JwtSettings extends Required<JwtOptions> {
  readonly issuer: string;
  readonly audience: string;
  /** An absolute path, or a URL. */
  readonly jwks: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly grantsClaim: string;
}

/** What defaults and relative paths depend on. */
export interface Surroundings extends ReadOptions {
  readonly env: Environment;
  /** Undefined on platforms without user ids. */
  readonly uid: number | undefined;
}

/** How messages name a program's option. */
export const inProgram: PlaceOf = (key, value) =>
  typeof value === "string" ? `${key} ${JSON.stringify(value)}` : key;

/** @throws {StartError} for options that are unknown, of the wrong type, invalid or inconsistent. */
export function resolveOptions(
  given: GatewaySettings,
  around: Surroundings,
  placeOf: PlaceOf = inProgram,
): Config {
  checkOptions(given, placeOf);
  checkRuntime(given, placeOf);
  const {
    runtime = "existing",
    dataDir = defaultDataDir(around),
    grants,
    jwt: { algorithms = [], grantsClaim = "", ...jwt },
    ...options
  } = readTexts(given, around, placeOf);
  const { listen, metricsListen } = options;
  checkMetricsListening(metricsListen, placeOf);
  checkListening({ listen, tls: options.tls, acceptHost: given.acceptHost }, placeOf);
  if (options.token !== undefined && options.tokenFile !== undefined) {
    throw new StartError(`${placeOf("tokenFile")}: cannot be combined with token, omit one of them`);
  }
  if (options.auditWebhookTokenFile !== undefined && options.auditWebhook === undefined) {
    throw new StartError(`${placeOf("auditWebhookTokenFile")}: needs --audit-webhook=URL`);
  }
  const { all, allow, deny } = grants;
  if (given.policy !== undefined && (all || allow.host === true) && !deny.host) {
    throw new StartError(
      `${placeOf("policy", given.policy)}: limits nobody who has all of host, add --deny-host or grant only words of it, such as --allow-host=network`,
    );
  }
  const isJwt = checkJwt(jwt, placeOf);
  const tokenFile = options.token === undefined ? (options.tokenFile ?? join(dataDir, "token")) : undefined;
  const own = [listen, ...(metricsListen === undefined ? [] : [metricsListen])].flatMap((one) =>
    "host" in one && !isEveryAddress(one.host) ? [formatHost(one.host)] : [],
  );
  const always = schema.get("acceptHost")?.default as readonly string[];
  return deepFreeze({
    ...options,
    runtime,
    dataDir,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    tokensFile: options.tokensFile ?? join(dataDir, "tokens.json"),
    ...(isJwt ? { jwt: { ...(jwt as JwtSettings), algorithms, grantsClaim } } : {}),
    // Deno's permissions may forbid reading HOME, so read it only if needed.
    tokenFileHint: tokenFileHint(tokenFile, given.dataDir === undefined ? around.env : {}),
    acceptHost: [...new Set([...always, ...own, ...options.acceptHost])],
    grants: { all: grants.all, allow: setOf(grants.allow), deny: setOf(grants.deny) },
  });
}

/** The options with their own defaults, and with parsed values in place of texts. */
interface Read
  extends Omit<Config, "runtime" | "dataDir" | "grants" | "tokenFileHint" | "tokensFile" | "jwt"> {
  readonly runtime?: Config["runtime"];
  readonly dataDir?: string;
  readonly tokensFile?: string;
  readonly jwt: JwtOptions;
  readonly grants: { readonly all: boolean; readonly allow: GrantRules; readonly deny: GrantRules };
}

/**
 * Reads grants that are written as the option `grants`. `placeOf` gets the keys of that option: `grants.allow.exec`.
 *
 * @throws {StartError}
 */
export function readGrants(given: unknown, placeOf: PlaceOf): Grants {
  checkOptions({ grants: given }, placeOf);
  const around = { env: {}, uid: undefined, cwd: "/" };
  const { grants } = readTexts({ grants: given as GrantOptions }, around, placeOf, "grants.");
  return deepFreeze({ all: grants.all, allow: setOf(grants.allow), deny: setOf(grants.deny) });
}

/** `prefix`: only options whose keys begin with it. */
function readTexts(given: GatewaySettings, around: Surroundings, placeOf: PlaceOf, prefix = ""): Read {
  const read: Tree = {};
  for (const [key, shape] of schema) {
    if (!key.startsWith(prefix)) continue;
    const value = valueAt(given, key) ?? shape.default;
    if (value === undefined) continue;
    const reader = shape.reader ?? itemsOf(shape)?.reader;
    const readOne = (one: unknown): unknown => {
      const text =
        key === "listen" || key === "metricsListen" ? listenText(one as string | ListenAddress) : one;
      if (reader === undefined || typeof text !== "string") return text;
      try {
        return readers[reader](text, around);
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        throw new StartError(`${placeOf(key, text)}: ${error.message}`, { cause: error });
      }
    };
    put(read, key, Array.isArray(value) ? [...new Set(value.map(readOne))] : readOne(value));
  }
  // checkOptions verified the shape. A unit test checks that the readers return the schema's static types.
  return read as unknown as Read;
}

type Tree = { [name: string]: unknown };

function valueAt(options: object, key: string): unknown {
  return key.split(".").reduce<unknown>((at, name) => (at as Tree | undefined)?.[name], options);
}

/** Sets the value at a dotted path. */
export function put(options: Tree, key: string, value: unknown): void {
  const names = key.split(".");
  const last = names.pop() ?? "";
  let at = options;
  for (const name of names) {
    at[name] ??= {};
    at = at[name] as Tree;
  }
  at[last] = value;
}

function listenText(listen: string | ListenAddress): string {
  if (typeof listen === "string") return listen;
  if ("path" in listen) return `unix:${listen.path}`;
  return "fd" in listen ? `fd:${listen.fd}` : `${formatHost(listen.host)}:${listen.port}`;
}

/** Rejects options that apply only to the other kind of runtime. */
function checkRuntime(given: GatewaySettings, placeOf: PlaceOf): void {
  const isEmbedded = given.runtime === "embedded";
  for (const { key, command } of settings) {
    const value = valueAt(given, key);
    if (command === undefined || value === undefined || value === false) continue;
    if (command === (isEmbedded ? "up" : "serve")) continue;
    throw new StartError(
      `${placeOf(key)}: only for the ${isEmbedded ? "existing" : "embedded"} runtime, omit it or set runtime: "${isEmbedded ? "existing" : "embedded"}"`,
    );
  }
}

const systemTokenFile = "/var/lib/crest/token";

function tokenFileHint(tokenFile: string | undefined, { HOME, XDG_STATE_HOME }: Environment): string {
  if (tokenFile === systemTokenFile) return systemTokenFile;
  if (XDG_STATE_HOME && tokenFile === join(XDG_STATE_HOME, "crest", "token"))
    return '"$XDG_STATE_HOME"/crest/token';
  if (HOME && tokenFile === join(HOME, ".local", "state", "crest", "token"))
    return "~/.local/state/crest/token";
  return '"$CREST_TOKEN_FILE"';
}

function setOf(rules: GrantRules): GrantSet {
  const granted = grantWordNames.flatMap((word) => (rules[word] ? [[word, rules[word]] as const] : []));
  return Object.fromEntries(granted);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
