/** Reads and writes files that must be trusted. See trusted-path.ts for the rule. */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StartError } from "../errors.ts";
import { checkFile, quote, resolveTrusted, UntrustedPathError } from "./trusted-path.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Reads a file that decides what Crest does. The path may contain symbolic links, as in Kubernetes secrets; these are
 * checked too.
 *
 * @param check Checks the open file, before the standard checks.
 * @throws {UntrustedPathError} if another user may have written it.
 * @throws {NodeJS.ErrnoException} if it cannot be read.
 */
export function readTrustedFile(path: string, check: (stats: Stats) => void = () => undefined): Buffer {
  const resolved = resolveTrusted(path);
  const real = join(resolved.path, ...resolved.missing);
  // Without O_NONBLOCK, opening a named pipe would block until a writer opens it.
  const file = openSync(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (stats.isDirectory()) return readFileSync(file); // Throws the system's EISDIR.
    check(stats);
    checkFile(real, stats);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a file like `readTrustedFile`, but does not check its parent folders. For a path that `resolveTrusted` accepted
 * at the start: since then, no other user could change where it leads.
 */
export async function readAgain(path: string): Promise<string> {
  const file = await open(path, O_RDONLY | O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isDirectory()) checkFile(path, stats);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Opens a file in a trusted folder for writing in place. Created with mode 600 if absent.
 *
 * @param flags Flags of open(2), besides those that create the file and reject links.
 * @throws {UntrustedPathError} if it is a symbolic link, is not ours, or has another hard link elsewhere.
 */
export function openOwnFile(path: string, flags: number): number {
  let file: number;
  try {
    file = openSync(path, flags | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ELOOP") throw error;
    throw new UntrustedPathError(`${path} is a symbolic link: run rm ${quote(path)}`);
  }
  try {
    const stats = fstatSync(file);
    checkFile(path, stats);
    checkOnlyName(path, stats);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** @throws {UntrustedPathError} if the file has another name (a hard link). */
export function checkOnlyName(path: string, { nlink }: Stats): void {
  if (nlink <= 1) return;
  throw new UntrustedPathError(
    `${path} is a hard link, one of ${nlink} names of its file: run rm ${quote(path)}`,
  );
}

/**
 * Returns a check of a file that holds a secret, for `readTrustedFile`.
 *
 * @param name Begins the message: `The token file`.
 * @throws {StartError} from the returned function, if the file has another name or others can read it.
 */
export function checkSecret(name: string, path: string): (stats: Stats) => void {
  return (stats) => {
    checkOnlyName(path, stats);
    if ((stats.mode & 0o077) === 0) return;
    throw new StartError(
      `${name} ${path} has mode ${(stats.mode & 0o777).toString(8)}, so others can read it: run chmod 600 ${quote(path)}`,
    );
  };
}

/** Atomically replaces whatever file or link has this name by a file with mode 600. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const beside = await writeBeside(path, text);
  await rename(beside, path).catch(async (error: unknown) => {
    await rm(beside, { force: true });
    throw error;
  });
  await syncFolder(dirname(path));
}

/**
 * Atomically creates a file with mode 600. It is never visible in part, not even after a crash.
 *
 * @returns False if the name is taken, for example by a concurrent process. The existing file stays.
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  const beside = await writeBeside(path, text);
  try {
    // Unlike rename(2), link(2) does not replace an existing file.
    await link(beside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(beside, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

/** Prefix of the temporary names under which a file is written before it gets its own name. */
export const besideOf = (path: string): string => `${path}.new-`;

/** Writes a new file to disk under a unique name. */
async function writeBeside(path: string, text: string): Promise<string> {
  // Most of those that read files never write one, and it takes a while to load.
  const { randomBytes } = await import("node:crypto");
  const beside = `${besideOf(path)}${randomBytes(6).toString("hex")}`;
  const file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return beside;
}

/** Makes changes to a folder's entries survive a power failure, if the file system supports it. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, O_RDONLY | O_DIRECTORY);
  try {
    await folder.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    await folder.close();
  }
}
