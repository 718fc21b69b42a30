/** Finds the gateway that a command talks to, and the token for it. */
import { join, resolve } from "node:path";
import { defaultDataDir } from "../../config/data-dir.ts";
import { StartError } from "../../errors.ts";
import { readTrustedFile } from "../../files/trusted-file.ts";
import { readLocalGateway } from "../../local-gateway.ts";
import type { Transport } from "./http-fetch.ts";

/** A gateway, and what is needed to call it. */
export interface ChosenServer {
  /** `http://127.0.0.1:8585`, `unix:/run/crest.sock`. */
  readonly address: string;
  /** The base of its URLs: of a Unix socket `http://localhost`. */
  readonly url: string;
  readonly transport: Transport;
  readonly token: string;
  /** Where the token is, for `--show-curl`; undefined if it came from a variable. */
  readonly tokenFile: string | undefined;
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

/**
 * In this order: `--server`, CREST_SERVER, the gateway that uses the data folder of this user (CREST_DATA_DIR).
 *
 * @throws {StartError} saying what to write.
 */
export function chooseServer(flags: ServerFlags, around: ServerSurroundings): ChosenServer {
  const { env } = around;
  const named = flags.server ?? (env.CREST_SERVER === "" ? undefined : env.CREST_SERVER);
  if (named !== undefined) {
    const place = flags.server === undefined ? `CREST_SERVER=${named}` : `--server=${named}`;
    return withToken(placeOf(named, place, around.cwd), flags, around);
  }
  const dataDir = resolve(around.cwd, env.CREST_DATA_DIR || defaultDataDir(around));
  const local = readLocal(dataDir);
  const ca =
    local.caFile === undefined ? {} : { ca: readText(local.caFile, "the certificate of the gateway") };
  const place = placeOf(local.address, join(dataDir, "gateway.json"), "/");
  return withToken({ ...place, transport: { ...place.transport, ...ca } }, flags, around, local.tokenFile);
}

type Place = Omit<ChosenServer, "token" | "tokenFile">;

/** @throws {StartError} */
function placeOf(server: string, place: string, cwd: string): Place {
  if (server.startsWith("unix:")) {
    const socketPath = resolve(cwd, server.slice("unix:".length).replace(/^\/\/(?=\/)/, ""));
    return { address: `unix:${socketPath}`, url: "http://localhost", transport: { socketPath } };
  }
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError(`${place}: write a URL such as http://127.0.0.1:8585, or unix:PATH`);
  return { address: server.replace(/\/$/, ""), url: server, transport: {} };
}

/** @throws {StartError} */
function withToken(
  place: Place,
  flags: ServerFlags,
  { env, cwd }: ServerSurroundings,
  localTokenFile?: string,
): ChosenServer {
  const given = flags["token-file"];
  if (given === undefined && env.CREST_TOKEN)
    return { ...place, token: env.CREST_TOKEN, tokenFile: undefined };
  const named = given ?? (env.CREST_TOKEN_FILE || localTokenFile);
  if (named === undefined)
    throw new StartError(
      `No token for ${place.address}: write --token-file=PATH, or set CREST_TOKEN_FILE or CREST_TOKEN`,
    );
  const tokenFile = resolve(cwd, named);
  return { ...place, token: readText(tokenFile, "the token").trim(), tokenFile };
}

function readLocal(dataDir: string) {
  const hint = "start one with crest up or crest serve, or name one with --server or CREST_SERVER";
  let local: ReturnType<typeof readLocalGateway>;
  try {
    local = readLocalGateway(dataDir);
  } catch (error) {
    throw new StartError(`Cannot read which gateway uses ${dataDir}: ${reasonOf(error)}`, { cause: error });
  }
  if (local === undefined)
    throw new StartError(`No gateway is running with the data folder ${dataDir}: ${hint}`);
  return local;
}

/** @throws {StartError} */
function readText(path: string, what: string): string {
  try {
    return readTrustedFile(path).toString("utf8");
  } catch (error) {
    throw new StartError(`Cannot read ${what}: ${reasonOf(error)}`, { cause: error });
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
