/**
 * Whether a path may be trusted: whoever can replace Crest's token, settings or containerd.toml is root on the node.
 *
 * The rule is the one of OpenSSH and sudo. A trusted file or folder belongs to root or to the user that Crest runs
 * as, and so does every folder above it. Nobody else may write to any of them. A folder above may have the sticky bit,
 * as /tmp has: nobody can remove or rename there what belongs to another user. Where an access control list permits
 * others to write, the mode says so too, because its group bits are the list's mask.
 *
 * Symbolic links are followed one at a time, so that the folders which hold the links are checked as well.
 */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import { isHidden } from "./sandbox.ts";

/** Says which path is not trusted, why, and what mends it. */
export class UntrustedPathError extends Error {
  override readonly name = "UntrustedPathError";
}

/** Where a path leads. */
export interface ResolvedPath {
  /** The part that exists, without symbolic links. */
  readonly path: string;
  /** The names below it that do not exist. */
  readonly missing: readonly string[];
}

/** As many as Linux follows. */
const maxLinks = 40;

/**
 * Follows an absolute path from the root, and checks each folder above its last name. The last name itself is
 * left to `checkFolder` or `checkFile`.
 *
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} when a folder is none, or links lead in a circle.
 */
export function resolveTrusted(path: string): ResolvedPath {
  const names = namesOf(resolve(path));
  let links = 0;
  let folder = "/";
  // In a folder that others may write to, a link is only as good as its owner.
  let isShared = checkAbove(folder);
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(folder, name);
    const stats = look(next);
    if (stats === "absent") return { path: folder, missing: [name, ...names] };
    if (stats !== "hidden" && stats.isSymbolicLink()) {
      if (isShared) checkOwner(next, stats);
      links += 1;
      if (links > maxLinks) throw failure("ELOOP", path);
      const target = readlinkSync(next);
      if (target.startsWith("/")) [folder, isShared] = ["/", false];
      names.unshift(...namesOf(target));
      continue;
    }
    folder = next;
    if (names.length > 0) isShared = checkAbove(folder, stats);
  }
  return { path: folder, missing: [] };
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** Whether others may write to it, which only a folder with the sticky bit permits safely. */
function checkAbove(path: string, stats: Stats | "hidden" | "absent" = look(path)): boolean {
  if (typeof stats === "string") return false;
  if (!stats.isDirectory()) throw failure("ENOTDIR", path);
  checkOwner(path, stats);
  if (!isWritableByOthers(stats)) return false;
  if (!isSticky(stats)) {
    throw new UntrustedPathError(
      `${path} has mode ${modeOf(stats)}, so others can replace what is below it: run chmod go-w ${quote(path)}`,
    );
  }
  return true;
}

/**
 * What is there, without following a link. Under Deno and Node's permission model, what is above the data folder is
 * hidden unless it was permitted, and cannot be checked. No other user can bring that answer about.
 */
function look(path: string): Stats | "absent" | "hidden" {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    if (isHidden(error)) return "hidden";
    throw error;
  }
}

/** @throws {UntrustedPathError} when it belongs to somebody else than root and the user that Crest runs as. */
function checkOwner(path: string, stats: Stats): void {
  const user = process.geteuid?.();
  if (user === undefined || stats.uid === 0 || stats.uid === user) return;
  const chown = `chown ${stats.isSymbolicLink() ? "-h " : ""}${user === 0 ? "root" : user} ${quote(path)}`;
  throw new UntrustedPathError(
    `${path} belongs to user ${stats.uid}, who can change what Crest finds there: run ${chown} if you trust it`,
  );
}

/**
 * Checks a folder that Crest keeps files in, of which only those who may write to it can make any: the sticky bit is
 * not enough. `path` is one that `resolveTrusted` has followed.
 *
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} when it is not there or no folder.
 */
export function checkFolder(path: string): void {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink())
    throw new UntrustedPathError(`${path} is a symbolic link: run rm ${quote(path)}`);
  if (!stats.isDirectory()) throw failure("ENOTDIR", path);
  checkOwner(path, stats);
  if (!isWritableByOthers(stats)) return;
  const mend = isSticky(stats)
    ? `use a folder of your own below it, for example ${join(path, "crest")}`
    : `run chmod go-w ${quote(path)}`;
  throw new UntrustedPathError(`${path} has mode ${modeOf(stats)}, so others can add files to it: ${mend}`);
}

/** Checks those of the folders in a trusted folder that exist. @throws {UntrustedPathError} */
export function checkEntries(paths: readonly string[]): void {
  for (const path of paths) {
    if (look(path) !== "absent") checkFolder(path);
  }
}

/**
 * Checks an open file by its descriptor's status.
 *
 * @throws {UntrustedPathError} when it is no regular file, or somebody else may write it.
 */
export function checkFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new UntrustedPathError(`${path} is not a regular file`);
  checkOwner(path, stats);
  if (!isWritableByOthers(stats)) return;
  throw new UntrustedPathError(
    `${path} has mode ${modeOf(stats)}, so others can write to it: run chmod go-w ${quote(path)}`,
  );
}

/** Why a path cannot be used, for a message: the reason, or the system's code. */
export function reasonOf(error: unknown): string {
  if (error instanceof UntrustedPathError) return error.message;
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
}

const isWritableByOthers = ({ mode }: Stats): boolean => (mode & 0o022) !== 0;
const isSticky = ({ mode }: Stats): boolean => (mode & 0o1000) !== 0;
const modeOf = ({ mode }: Stats): string => (mode & 0o7777).toString(8);

/** For a shell, where it needs to be. */
export function quote(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}
