/** Options -> the configuration: checked, with all defaults, frozen. The one way to it, for programs and flags. */
import { isAbsolute, join } from "node:path";
import { StartError } from "../errors.ts";
import { type GrantSet, type Grants, grantWordNames } from "../grants.ts";
import { formatHost, isEveryAddress, type ReadOptions } from "./addresses.ts";
import { checkListening } from "./check-listening.ts";
import { checkOptions, type PlaceOf } from "./check-options.ts";
import type { GatewaySettings, GrantRules, ListenAddress, TlsOptions } from "./options.ts";
import { itemsOf, options as schema, settings } from "./settings.ts";
import { readers } from "./values.ts";

export type Environment = { readonly [name: string]: string | undefined };

/**
 * Everything that the operator decided, resolved and frozen.
 *
 * Paths are absolute. The endpoints are paths of Unix sockets; `acceptHost` holds every name that a
 * Host header may have, without ports, IPv6 in brackets; an absent `streamHost` is loopback.
 */
export interface Config {
  readonly runtime: "existing" | "embedded";
  readonly runtimeEndpoint?: string;
  readonly imageEndpoint?: string;
  readonly listen: ListenAddress;
  readonly tls?: TlsOptions;
  readonly dataDir: string;
  readonly streamHost?: string;
  readonly streamCaFile?: string;
  /** Given in place of a file. */
  readonly token?: string;
  /** Absent when the token was given. */
  readonly tokenFile?: string;
  /**
   * How pages that anyone may read name the token file, as a word of a shell: the usual places by their path, in
   * general terms, and any other by a variable, so that strangers learn no path of this node.
   */
  readonly tokenFileHint: string;
  readonly acceptHost: readonly string[];
  readonly maxSessions: number;
  readonly sessionIdleMs: number;
  readonly sessionMaxMs: number;
  readonly execMaxMs: number;
  readonly statusGraceMs: number;
  readonly maxBufferBytes: number;
  readonly drainMs: number;
  readonly install: boolean;
  /** What this process lets anyone do at most. */
  readonly grants: Grants;
}

/** What defaults and relative paths depend on. */
export interface Surroundings extends ReadOptions {
  readonly env: Environment;
  /** Undefined where there are no user ids. */
  readonly uid: number | undefined;
}

/** How a program's option is named in messages. */
export const inProgram: PlaceOf = (key, value) =>
  typeof value === "string" ? `${key} ${JSON.stringify(value)}` : key;

/** @throws {StartError} whatever is unknown, has a wrong type, does not read, or does not go together. */
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
    ...options
  } = readTexts(given, around, placeOf);
  const { listen } = options;
  checkListening({ listen, tls: options.tls, acceptHost: given.acceptHost }, placeOf);
  if (options.token !== undefined && options.tokenFile !== undefined) {
    throw new StartError(`${placeOf("tokenFile")}: not together with token, leave one of them out`);
  }
  const tokenFile = options.token === undefined ? (options.tokenFile ?? join(dataDir, "token")) : undefined;
  const own = "host" in listen && !isEveryAddress(listen.host) ? [formatHost(listen.host)] : [];
  const always = schema.get("acceptHost")?.default as readonly string[];
  return deepFreeze({
    ...options,
    runtime,
    dataDir,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    // Deno's permissions do not let HOME be read where it is not needed.
    tokenFileHint: tokenFileHint(tokenFile, given.dataDir === undefined ? around.env : {}),
    acceptHost: [...new Set([...always, ...own, ...options.acceptHost])],
    grants: { all: grants.all, allow: setOf(grants.allow), deny: setOf(grants.deny) },
  });
}

/** The options with their own defaults, and what texts say in place of the texts. */
interface Read extends Omit<Config, "runtime" | "dataDir" | "grants" | "tokenFileHint"> {
  readonly runtime?: Config["runtime"];
  readonly dataDir?: string;
  readonly grants: { readonly all: boolean; readonly allow: GrantRules; readonly deny: GrantRules };
}

function readTexts(given: GatewaySettings, around: Surroundings, placeOf: PlaceOf): Read {
  const read: Tree = {};
  for (const [key, shape] of schema) {
    const value = valueAt(given, key) ?? shape.default;
    if (value === undefined) continue;
    const reader = shape.reader ?? itemsOf(shape)?.reader;
    const readOne = (one: unknown): unknown => {
      const text = key === "listen" ? listenText(one as string | ListenAddress) : one;
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
  // The shape was checked, and readers give what the schema's static types say: a unit test compares the two.
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

/** Options of the one kind of runtime mean nothing for the other. */
function checkRuntime(given: GatewaySettings, placeOf: PlaceOf): void {
  const isEmbedded = given.runtime === "embedded";
  for (const { key, command } of settings) {
    const value = valueAt(given, key);
    if (command === undefined || value === undefined || value === false) continue;
    if (command === (isEmbedded ? "up" : "serve")) continue;
    throw new StartError(
      `${placeOf(key)}: only for the ${isEmbedded ? "existing" : "embedded"} runtime, leave it out or set runtime: "${isEmbedded ? "existing" : "embedded"}"`,
    );
  }
}

/** Root's is the system's; anyone else's follows the XDG base directory specification. */
function defaultDataDir({ env, uid }: Surroundings): string {
  if (uid === 0) return "/var/lib/crest";
  // A relative XDG_STATE_HOME is invalid and to be ignored, says the specification.
  if (env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME)) return join(env.XDG_STATE_HOME, "crest");
  if (env.HOME && isAbsolute(env.HOME)) return join(env.HOME, ".local", "state", "crest");
  throw new StartError("--data-dir: no default without HOME, write --data-dir=/path");
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
