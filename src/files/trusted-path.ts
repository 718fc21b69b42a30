/**
 * Decides whether a path can be trusted. Anyone who can replace Crest's token, settings or containerd.toml is root on
 * the node.
 *
 * The rule is that of OpenSSH and sudo. A trusted file or folder and all its parents must belong to root or to the user
 * that Crest runs as, and nobody else may write to them. A parent may be writable by others if it has the sticky bit,
 * like /tmp: there, nobody can remove or rename what belongs to another user. An access control list that lets others
 * write shows in the mode too, because the group bits are the list's mask.
 *
 * Symbolic links are followed one at a time, so that the folders that contain the links are checked as well.
 */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import { isHidden } from "./sandbox.ts";

/** Says which path is not trusted, why, and how to fix it. */
export class UntrustedPathError extends Error {
  override readonly name = "UntrustedPathError";
}

/** The result of resolving a path. */
export interface ResolvedPath {
  /** The part that exists, without symbolic links. */
  readonly path: string;
  /** The names below it that do not exist. */
  readonly missing: readonly string[];
}

/** The same limit as in Linux. */
const maxLinks = 40;

/**
 * Follows an absolute path from the root and checks each folder above its last name. Use `checkFolder` or `checkFile`
 * for the last name.
 *
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} if a parent is not a folder, or links form a loop.
 */
export function resolveTrusted(path: string): ResolvedPath {
  const names = namesOf(resolve(path));
  let links = 0;
  let folder = "/";
  // In a folder that others may write to, a link must have a trusted owner.
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

/** Returns whether others may write to the folder. Only the sticky bit makes that safe. */
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
 * Stats a path without following links. Under Deno and Node's permission model, folders above the data folder are
 * hidden unless permitted, so they cannot be checked. No other user can cause that result.
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

/** @throws {UntrustedPathError} if it belongs to anyone but root and the user that Crest runs as. */
function checkOwner(path: string, stats: Stats): void {
  const user = process.geteuid?.();
  if (user === undefined || stats.uid === 0 || stats.uid === user) return;
  const chown = `chown ${stats.isSymbolicLink() ? "-h " : ""}${user === 0 ? "root" : user} ${quote(path)}`;
  throw new UntrustedPathError(
    `${path} belongs to user ${stats.uid}, who can change what Crest finds there: run ${chown} if you trust it`,
  );
}

/**
 * Checks a folder in which Crest keeps files. Nobody else may create files in it, so the sticky bit is not enough.
 * `path` must come from `resolveTrusted`.
 *
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} if it is absent or not a folder.
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

/** Checks the folders that exist. Their parent must be trusted. @throws {UntrustedPathError} */
export function checkEntries(paths: readonly string[]): void {
  for (const path of paths) {
    if (look(path) !== "absent") checkFolder(path);
  }
}

/**
 * Checks an open file by the status of its descriptor.
 *
 * @throws {UntrustedPathError} if it is not a regular file, or another user may write to it.
 */
export function checkFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new UntrustedPathError(`${path} is not a regular file`);
  checkOwner(path, stats);
  if (!isWritableByOthers(stats)) return;
  throw new UntrustedPathError(
    `${path} has mode ${modeOf(stats)}, so others can write to it: run chmod go-w ${quote(path)}`,
  );
}

/** Why a path cannot be used, for a message: the reason, or the system's error code. */
export function reasonOf(error: unknown): string {
  if (error instanceof UntrustedPathError) return error.message;
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
}

const isWritableByOthers = ({ mode }: Stats): boolean => (mode & 0o022) !== 0;
const isSticky = ({ mode }: Stats): boolean => (mode & 0o1000) !== 0;
const modeOf = ({ mode }: Stats): string => (mode & 0o7777).toString(8);

/** Quotes a path for the shell if necessary. */
export function quote(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}

/** Whether `path` is `folder` or in it. Both are clean absolute paths. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
