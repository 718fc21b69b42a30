/** Finds the gateway that a command talks to, and the token for it. */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { defaultDataDir } from "../../config/data-dir.ts";
import { StartError } from "../../errors.ts";
import { readTrustedFile } from "../../files/trusted-file.ts";
import { reasonOf } from "../../files/trusted-path.ts";
import { readLocalGateway } from "../../local-gateway.ts";
import { isAddress, isInTheClear, parseAddress } from "./address.ts";
import {
  configFolder,
  localName,
  profileNamed,
  profilesFileIn,
  readProfiles,
  type ServerProfile,
} from "./profiles.ts";
import type { Transport } from "./transport.ts";

/** Files that a connection needs, as absolute paths. */
export interface ServerFiles {
  /** Undefined if the token came from a variable, or there is none. */
  readonly tokenFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** A gateway, and what is needed to call it. */
export interface ChosenServer {
  /** `http://127.0.0.1:8585`, `unix:/run/crest.sock`. */
  readonly address: string;
  /** The base of its URLs, without a slash at its end: of a Unix socket `http://localhost`. */
  readonly url: string;
  readonly transport: Transport;
  /** Undefined if the gateway knows the caller by the client certificate. */
  readonly token: string | undefined;
  /** For `--show-curl`, and for messages. */
  readonly files: ServerFiles;
  /** The data folder of the gateway of this machine, if it is that. */
  readonly dataDir?: string | undefined;
  /** A sentence about it that the user should read. */
  readonly warning?: string | undefined;
}

export interface ServerFlags {
  readonly server?: string | undefined;
  readonly "token-file"?: string | undefined;
}

export interface ServerSurroundings {
  readonly env: { readonly [name: string]: string | undefined };
  readonly uid: number | undefined;
  readonly cwd: string;
}

/** Which server, before any of its files is read. */
interface Found extends ServerFiles {
  /** A URL or `unix:PATH`. */
  readonly address: string;
  /** For messages: `--server`. */
  readonly place: string;
  readonly dataDir?: string | undefined;
  /** It was given a name, and its dangers were told then. */
  readonly hasName: boolean;
  /** Its own token beats the variables: it was named by a flag. */
  readonly isNamedByFlag: boolean;
}

/**
 * In this order: `--server`, CREST_SERVER, the server that `crest server use` chose, the gateway that uses the data folder
 * of this user (CREST_DATA_DIR). The token: `--token-file`, that of the server which `--server` names, CREST_TOKEN,
 * CREST_TOKEN_FILE, that of the server.
 *
 * @throws {StartError} saying what to write.
 */
export function chooseServer(flags: ServerFlags, around: ServerSurroundings): ChosenServer {
  const found = findServer(flags, around);
  const { address, url, socketPath } = parseAddress(found.address, found.place, around.cwd);
  const { token, tokenFile } = tokenOf(found, address, flags, around);
  const { caFile, certFile, keyFile } = found;
  const isWarned = !found.hasName && isInTheClear({ address, url, socketPath });
  return {
    address,
    url,
    transport: {
      socketPath,
      isPinned: found.dataDir !== undefined,
      ca: readIfNamed(caFile, "the certificates to trust"),
      cert: readIfNamed(certFile, "the client's certificate"),
      key: readIfNamed(keyFile, "the client's key"),
    },
    token,
    files: { tokenFile, caFile, certFile, keyFile },
    dataDir: found.dataDir,
    warning: isWarned
      ? `the token travels in the clear to ${address}, use https outside this machine`
      : undefined,
  };
}

/** @throws {StartError} */
function findServer({ server }: ServerFlags, around: ServerSurroundings): Found {
  const { env } = around;
  const named = server ?? (env.CREST_SERVER || undefined);
  const place = server === undefined ? "CREST_SERVER" : "--server";
  if (named !== undefined && isAddress(named))
    return { address: named, place, hasName: false, isNamedByFlag: false };
  if (named === localName) return findLocal(around);
  const folder = configFolder(env);
  const profiles = folder === undefined ? { servers: [] } : readProfiles(profilesFileIn(folder));
  if (named !== undefined)
    return foundProfile(profileNamed(profiles, named, place), place, server !== undefined);
  const { current } = profiles;
  if (current === undefined) return findLocal(around);
  return foundProfile(profileNamed(profiles, current, "current"), current, false);
}

const foundProfile = (profile: ServerProfile, place: string, isNamedByFlag: boolean): Found => ({
  ...profile,
  place,
  hasName: true,
  isNamedByFlag,
});

/** The gateway of this machine. @throws {StartError} */
function findLocal(around: ServerSurroundings): Found {
  const { env, cwd, uid } = around;
  const dataDir = resolve(cwd, env.CREST_DATA_DIR || defaultDataDir(around));
  let local: ReturnType<typeof readLocalGateway>;
  try {
    local = readLocalGateway(dataDir);
  } catch (error) {
    if (isDenied(error)) throw new StartError(ofOther(dataDir), { cause: error });
    throw new StartError(`Cannot read which gateway uses ${dataDir}: ${reasonOf(error)}`, { cause: error });
  }
  if (local !== undefined) {
    const place = join(dataDir, "gateway.json");
    return { ...local, place, dataDir, hasName: true, isNamedByFlag: false };
  }
  const roots = defaultDataDir({ env, uid: 0 });
  if (uid !== 0 && !env.CREST_DATA_DIR && isPresent(roots))
    throw new StartError(`No gateway of yours is running. ${ofOther(roots)}`);
  throw new StartError(
    `No gateway is running with the data folder ${dataDir}: start one with crest up or crest serve, or name one with --server or CREST_SERVER`,
  );
}

/** What to do about a gateway of another user, whose token only that user can read. */
const ofOther = (dataDir: string): string =>
  `The data folder ${dataDir} is another user's: run this command as that user (sudo crest ...), or have it make you a token (crest token create --name=YOU) and write crest server add NAME URL --token-stdin`;

const isDenied = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM";
};

function isPresent(folder: string): boolean {
  try {
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

/** @throws {StartError} */
function tokenOf(
  found: Found,
  address: string,
  flags: ServerFlags,
  { env, cwd }: ServerSurroundings,
): { readonly token: string | undefined; readonly tokenFile?: string | undefined } {
  const given = flags["token-file"];
  if (given !== undefined) return readToken(resolve(cwd, given), found);
  if (found.isNamedByFlag && found.tokenFile !== undefined) return readToken(found.tokenFile, found);
  if (env.CREST_TOKEN) return { token: checkToken(env.CREST_TOKEN, "CREST_TOKEN") };
  const named = env.CREST_TOKEN_FILE ? resolve(cwd, env.CREST_TOKEN_FILE) : found.tokenFile;
  if (named !== undefined) return readToken(named, found);
  // The certificate may be all that the gateway asks for.
  if (found.certFile !== undefined) return { token: undefined };
  throw new StartError(
    `No token for ${address}: write --token-file=PATH, or set CREST_TOKEN_FILE or CREST_TOKEN`,
  );
}

function readToken(tokenFile: string, { dataDir }: Found): { token: string; tokenFile: string } {
  try {
    const text = readTrustedFile(tokenFile).toString("utf8");
    return { token: checkToken(text, `The token file ${tokenFile}`), tokenFile };
  } catch (error) {
    if (error instanceof StartError) throw error;
    if (isDenied(error) && dataDir !== undefined) throw new StartError(ofOther(dataDir), { cause: error });
    const hint = isDenied(error)
      ? `${tokenFile} is another user's, who can make you a token with crest token create`
      : textOf(error);
    throw new StartError(`Cannot read the token: ${hint}`, { cause: error });
  }
}

/** The token without white space around it. Never repeats it. @throws {StartError} */
export function checkToken(text: string, place: string): string {
  const token = text.trim();
  if (token === "") throw new StartError(`${place}: empty, expected a token`);
  if (token.length > 16_384) throw new StartError(`${place}: ${token.length} characters are no token`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new StartError(`${place}: a token is one line of printable ASCII without spaces`);
  return token;
}

/** @throws {StartError} */
function readIfNamed(path: string | undefined, what: string): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readTrustedFile(path).toString("utf8");
  } catch (error) {
    throw new StartError(`Cannot read ${what}: ${textOf(error)}`, { cause: error });
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
