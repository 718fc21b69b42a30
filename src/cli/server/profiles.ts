/**
 * The servers that a user has given names: `~/.config/crest/servers.json`. It says where tokens are, but has none, so it can
 * be read aloud. Others may not write it: whoever can would receive the tokens.
 */
import { isAbsolute, join } from "node:path";
import { StartError } from "../../errors.ts";
import { readTrustedFile } from "../../files/trusted-file.ts";
import { reasonOf } from "../../files/trusted-path.ts";
import { nearest } from "../../nearest.ts";
import { parseAddress } from "./address.ts";

export interface ServerProfile {
  readonly name: string;
  /** A URL, or `unix:PATH`. */
  readonly address: string;
  /** Absolute paths, all of them. Absent for a server that knows callers by their certificates. */
  readonly tokenFile?: string;
  /** Certificates to trust instead of the system's. */
  readonly caFile?: string;
  /** The certificate of the client and its key: both or none. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface Profiles {
  /** The name of the server that commands talk to; absent: the gateway of this machine. */
  readonly current?: string;
  readonly servers: readonly ServerProfile[];
}

/** The name of the gateway of this machine. It cannot be given to another. */
export const localName = "local";
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const pathMembers = ["tokenFile", "caFile", "certFile", "keyFile"] as const;
const maxBytes = 1024 * 1024;

/** The folder of the user's settings, as in the XDG base directory specification; undefined without HOME. */
export function configFolder(env: { readonly [name: string]: string | undefined }): string | undefined {
  const { XDG_CONFIG_HOME: config, HOME: home } = env;
  // The specification says to ignore a relative one.
  if (config && isAbsolute(config)) return join(config, "crest");
  return home && isAbsolute(home) ? join(home, ".config", "crest") : undefined;
}

export const profilesFileIn = (folder: string): string => join(folder, "servers.json");

/** @throws {StartError} if the name cannot be told from an address, or is taken by the gateway of this machine. */
export function checkName(name: string): void {
  if (name === localName)
    throw new StartError(`${name}: the name of the gateway of this machine, choose another`);
  if (!namePattern.test(name))
    throw new StartError(
      `${name}: not a name for a server, write letters, digits, ".", "_" and "-", at most 63 of them, beginning with a letter or digit`,
    );
}

/** Reads the file. One that is absent has no servers. @throws {StartError} if others may write it, or it is wrong. */
export function readProfiles(path: string): Profiles {
  let text: string;
  try {
    text = readTrustedFile(path, ({ size }) => {
      if (size > maxBytes) throw new Error(`it has ${size} bytes, more than ${maxBytes}`);
    }).toString("utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { servers: [] };
    throw new StartError(`Cannot read the servers in ${path}: ${reasonOf(error)}`, { cause: error });
  }
  return parseProfiles(text, path);
}

/** @throws {StartError} naming the place in the file, and what would be right. */
export function parseProfiles(text: string, path: string): Profiles {
  const wrong = (place: string, why: string): never => {
    throw new StartError(`${path}: ${place}: ${why}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return wrong("not JSON", error instanceof Error ? error.message : String(error));
  }
  if (!isObject(value)) return wrong("the file", 'expected an object, {"servers": []}');
  checkMembers(value, "", ["current", "servers"], wrong);
  const { current, servers } = value;
  if (!Array.isArray(servers)) return wrong("/servers", "expected a list");
  const profiles = servers.map((one, index) => parseProfile(one, `/servers/${index}`, wrong));
  const names = profiles.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) return wrong(`/servers/${twice}/name`, `${names[twice]} is the name of two servers`);
  if (current === undefined) return { servers: profiles };
  if (typeof current !== "string" || !names.includes(current))
    return wrong("/current", `expected the name of one of the servers: ${names.join(", ") || "none yet"}`);
  return { current, servers: profiles };
}

type Wrong = (place: string, why: string) => never;

function parseProfile(value: unknown, place: string, wrong: Wrong): ServerProfile {
  if (!isObject(value)) return wrong(place, "expected an object with name and address");
  checkMembers(value, place, ["name", "address", ...pathMembers], wrong);
  const { name, address } = value;
  if (typeof name !== "string") return wrong(`${place}/name`, "expected a name");
  if (typeof address !== "string") return wrong(`${place}/address`, "expected a URL or unix:PATH");
  try {
    checkName(name);
    parseAddress(address, "address", "/");
  } catch (error) {
    return wrong(place, error instanceof Error ? error.message : String(error));
  }
  for (const member of pathMembers) {
    const path = value[member];
    if (path !== undefined && (typeof path !== "string" || !isAbsolute(path) || path.includes("\0")))
      return wrong(`${place}/${member}`, "expected an absolute path");
  }
  if ((value.certFile === undefined) !== (value.keyFile === undefined))
    return wrong(place, "expected both of certFile and keyFile, or neither");
  return value as unknown as ServerProfile;
}

function checkMembers(value: object, place: string, known: readonly string[], wrong: Wrong): void {
  for (const member of Object.keys(value)) {
    if (!known.includes(member)) wrong(`${place}/${member}`, `unknown, expected ${known.join(", ")}`);
  }
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The server of this name.
 *
 * @param place Where the name was written, if not as an argument: `--server`.
 * @throws {StartError} naming those that there are.
 */
export function profileNamed({ servers }: Profiles, name: string, place?: string): ServerProfile {
  const found = servers.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = servers.map((one) => one.name);
  const near = nearest(name, [...names, localName]);
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : names.length > 0
        ? `expected one of ${[...names, localName].join(", ")}, or a URL or unix:PATH`
        : "write a URL or unix:PATH, or name one with crest server add NAME URL";
  throw new StartError(`${place === undefined ? "" : `${place}=`}${name}: no server has this name, ${hint}`);
}
