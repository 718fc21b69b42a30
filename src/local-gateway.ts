/**
 * What a running gateway leaves in its data folder, so that the commands on the same machine find it: where it listens,
 * and where its token is.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readTrustedFile, replaceFile } from "./files/trusted-file.ts";

export interface LocalGateway {
  /** An address that can be called: `http://127.0.0.1:8585`, `unix:/run/crest.sock`. */
  readonly address: string;
  readonly tokenFile: string;
  /** A certificate to trust for `https:`, as a path. */
  readonly caFile?: string | undefined;
}

/** The socket that the gateway holds as long as it uses the data folder. See files/socket-lock.ts. */
export const gatewayLockIn = (dataDir: string): string => join(dataDir, "gateway.lock");

const pathIn = (dataDir: string): string => join(dataDir, "gateway.json");

/** Returns a function that removes it. */
export async function recordLocalGateway(
  dataDir: string,
  gateway: LocalGateway,
): Promise<() => Promise<void>> {
  const path = pathIn(dataDir);
  await replaceFile(path, `${JSON.stringify(gateway)}\n`);
  return () => rm(path, { force: true });
}

/**
 * The gateway that uses this data folder; undefined if there is none. One that was killed may have left what it said.
 *
 * @throws {UntrustedPathError} if another user may have written it.
 * @throws {NodeJS.ErrnoException} if it cannot be read.
 */
export function readLocalGateway(dataDir: string): LocalGateway | undefined {
  let text: string;
  try {
    text = readTrustedFile(pathIn(dataDir)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return JSON.parse(text) as LocalGateway;
}
