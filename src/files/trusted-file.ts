/** Reads and writes files that must be trusted. See trusted-path.ts for the rule. */
import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { link, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkFile, quote, resolveTrusted, UntrustedPathError } from "./trusted-path.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Reads a file that decides what Crest does. Symbolic links may lead to it, as Kubernetes' secrets have them, and are
 * checked as well.
 *
 * @param check Looks at the open file first, before what is always checked.
 * @throws {UntrustedPathError} when somebody else may have written it.
 * @throws {NodeJS.ErrnoException} when it cannot be read.
 */
export function readTrustedFile(path: string, check: (stats: Stats) => void = () => undefined): Buffer {
  const resolved = resolveTrusted(path);
  const real = join(resolved.path, ...resolved.missing);
  // Without O_NONBLOCK a named pipe would keep the process waiting until somebody writes.
  const file = openSync(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    if (stats.isDirectory()) return readFileSync(file); // EISDIR, in the system's own words.
    check(stats);
    checkFile(real, stats);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a file as `readTrustedFile` does, without a look at the folders above it: for a path that
 * `resolveTrusted` took at the start. Since then nobody else could change where it leads.
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
 * Opens a file in a trusted folder to write in place; it is made with mode 600 when absent.
 *
 * @param flags Of open(2), besides those that make it and keep links out.
 * @throws {UntrustedPathError} when it is a link, not ours, or has a second name, by which it would be another file.
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

/** @throws {UntrustedPathError} when the file has another name as well (a hard link). */
export function checkOnlyName(path: string, { nlink }: Stats): void {
  if (nlink <= 1) return;
  throw new UntrustedPathError(
    `${path} is a hard link, one of ${nlink} names of its file: run rm ${quote(path)}`,
  );
}

/** Puts a file with mode 600 in the place of whatever file or link has the name. It is never there in part. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const beside = await writeBeside(path, text);
  await rename(beside, path).catch(async (error: unknown) => {
    await rm(beside, { force: true });
    throw error;
  });
  await syncFolder(dirname(path));
}

/**
 * Makes a file with mode 600 where there is none. It is never there in part, not even after a crash.
 *
 * @returns False when the name is taken, for one by another process at the same time. What is there stays.
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  const beside = await writeBeside(path, text);
  try {
    // Unlike rename(2), link(2) does not replace what is there.
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

/** What the names begin with under which a file is written before it gets its own. */
export const besideOf = (path: string): string => `${path}.new-`;

/** Writes a new file to the disk, under a name that nothing else has. */
async function writeBeside(path: string, text: string): Promise<string> {
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

/** Makes the names in a folder outlast a power failure, where its file system can do that. */
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
