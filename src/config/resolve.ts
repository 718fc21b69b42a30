/** What was written for each setting -> the configuration. */
import { isAbsolute, join } from "node:path";
import { StartError } from "../errors.ts";
import { type Grants, grantWordNames } from "../grants.ts";
import { formatHost, isEveryAddress } from "./addresses.ts";
import { checkListening } from "./check-listening.ts";
import type { ServingCommand } from "./commands.ts";
import { parseEnvFile } from "./env-file.ts";
import { grantKey, type PlainSettings, type Setting, settings } from "./schema.ts";
import { readSetting, type Written, type WrittenSettings } from "./values.ts";
import { readEnvironment, readEnvLines } from "./variables.ts";

export type Environment = { readonly [name: string]: string | undefined };

/**
 * Everything that the operator decided, resolved and frozen.
 *
 * Paths are absolute. The endpoints are paths of Unix sockets; `acceptHost` holds every name that a
 * Host header may have, without ports, IPv6 in brackets; an absent `streamHost` is loopback.
 */
export interface Config extends Omit<PlainSettings, "config"> {
  readonly dataDir: string;
  readonly tokenFile: string;
  /**
   * How pages that anyone may read name the token file, as a word of a shell: the usual places by their path, in
   * general terms, and any other by a variable, so that strangers learn no path of this node.
   */
  readonly tokenFileHint: string;
  /** The file of variables that was read. */
  readonly configFile?: string;
  /** What this process lets anyone do at most. */
  readonly grants: Grants;
}

/** What the values depend on besides what was written. */
export interface Surroundings {
  readonly env: Environment;
  /** Undefined where there are no user ids. */
  readonly uid: number | undefined;
  readonly cwd: string;
  readonly readFile: (path: string) => string;
}

type Values = { readonly [key: string]: unknown };

/** @throws {StartError} whatever is unknown, does not read or is missing. */
export function resolveConfig(command: ServingCommand, flags: WrittenSettings, around: Surroundings): Config {
  const outside: WrittenSettings = new Map([...readEnvironment(around.env), ...flags]);
  const inFile = readConfigFile(outside.get("config"), around);
  const written: WrittenSettings = new Map([...inFile, ...outside]);

  const values: { [key: string]: unknown } = {};
  for (const setting of settings) {
    // A variable of the other command is no mistake: one environment may serve both.
    const applies = setting.command === undefined || setting.command === command;
    const texts = (applies ? written.get(setting.key) : undefined) ?? defaultOf(setting);
    if (texts) values[setting.key] = readSetting(setting, texts, around);
  }
  const allowGiven = settings.some(({ group, key }) => group === "grants" && written.has(key));
  const grants = readGrants(values, { allByDefault: command === "up" && !allowGiven });
  const plain = completePlain(values, around);
  checkListening(plain, written);
  return Object.freeze({ ...plain, grants });
}

function defaultOf(setting: Setting): readonly Written[] | undefined {
  if (setting.default === undefined) return undefined;
  return [{ text: String(setting.default), place: `${setting.flag} (default)`, bare: setting.flag }];
}

/** What the file of `--config` holds; nothing when none is named. */
function readConfigFile(texts: readonly Written[] | undefined, around: Surroundings): WrittenSettings {
  const setting = settings.find(({ key }) => key === "config");
  if (!setting || !texts) return new Map();
  const path = String(readSetting(setting, texts, around));
  let content: string;
  try {
    content = around.readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${texts[0]?.place}: cannot be read: ${reason}`, { cause: error });
  }
  return readEnvLines(parseEnvFile(content, path), path);
}

/** The settings other than grants, with the defaults that are computed. */
function completePlain(values: Values, { env, uid }: Surroundings): Omit<Config, "grants"> {
  const plain = settings.filter(
    ({ group, key }) => group !== "grants" && group !== "denials" && key !== "config" && key in values,
  );
  // A reader gives what the schema's static type says: a unit test compares the two.
  const read = Object.fromEntries(plain.map(({ key }) => [key, values[key]])) as unknown as PlainSettings;

  const dataDir = read.dataDir ?? defaultDataDir(env, uid);
  const tokenFile = read.tokenFile ?? join(dataDir, "token");
  const { listen } = read;
  const own = "host" in listen && !isEveryAddress(listen.host) ? [formatHost(listen.host)] : [];
  const always = settings.find(({ key }) => key === "acceptHost")?.default as readonly string[];
  return {
    ...read,
    dataDir,
    tokenFile,
    // Deno's permissions do not let HOME be read where it is not needed.
    tokenFileHint: tokenFileHint(tokenFile, read.dataDir === undefined ? env : {}),
    acceptHost: Object.freeze([...new Set([...always, ...own, ...read.acceptHost])]),
    ...(typeof values.config === "string" ? { configFile: values.config } : {}),
  };
}

/** Root's is the system's; anyone else's follows the XDG base directory specification. */
function defaultDataDir(env: Environment, uid: number | undefined): string {
  if (uid === 0) return "/var/lib/crest";
  // A relative XDG_STATE_HOME is invalid and to be ignored, says the specification.
  if (env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME)) return join(env.XDG_STATE_HOME, "crest");
  if (env.HOME && isAbsolute(env.HOME)) return join(env.HOME, ".local", "state", "crest");
  throw new StartError("--data-dir: no default without HOME, write --data-dir=/path");
}

const systemTokenFile = "/var/lib/crest/token";

function tokenFileHint(tokenFile: string, { HOME, XDG_STATE_HOME }: Environment): string {
  if (tokenFile === systemTokenFile) return systemTokenFile;
  if (XDG_STATE_HOME && tokenFile === join(XDG_STATE_HOME, "crest", "token"))
    return '"$XDG_STATE_HOME"/crest/token';
  if (HOME && tokenFile === join(HOME, ".local", "state", "crest", "token"))
    return "~/.local/state/crest/token";
  return '"$CREST_TOKEN_FILE"';
}

function readGrants(values: Values, { allByDefault }: { allByDefault: boolean }): Grants {
  const wordsOf = (verb: "allow" | "deny") => {
    const found = grantWordNames.map((name) => [name, values[grantKey(verb, name)]] as const);
    return Object.freeze(Object.fromEntries(found.filter(([, value]) => value !== false)));
  };
  const all = allByDefault || values.allowAll === true;
  return Object.freeze({ all, allow: wordsOf("allow"), deny: wordsOf("deny") });
}
