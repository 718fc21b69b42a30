/**
 * Rotates one log without losing a line: renames the file and has the runtime open a new one. Until it does, it writes
 * into the renamed file.
 */
import { link, readdir, rename, rm, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { checkOnlyName } from "../../files/trusted-file.ts";
import { readLogName, rotationTime } from "./log-names.ts";
import { checkPlace, regularFile } from "./log-place.ts";

export interface RotateOptions {
  /** Log files to keep, including the one being written. */
  readonly maxFiles: number;
  /** Has the runtime open the log again. */
  readonly reopen: () => Promise<void>;
  readonly nowMs?: number;
}

/**
 * Rotates the log at `path` and removes the oldest of its files that are too many.
 *
 * If the runtime cannot reopen the log, the file gets its name back, and nothing is lost.
 *
 * @returns Whether the log was rotated. It is not if it is no regular file.
 * @throws {GatewayError} As `reopen`. {UntrustedPathError} {NodeJS.ErrnoException}
 */
export async function rotateLog(
  path: string,
  { maxFiles, reopen, nowMs = Date.now() }: RotateOptions,
): Promise<boolean> {
  checkPlace(dirname(path));
  const rotated = await tidyLog(path, { mayCompress: true });
  const stats = regularFile(path);
  if (stats === undefined) return false;
  checkOnlyName(path, stats);
  const renamed = `${path}.${rotationTime(nowMs, rotated.at(-1)?.rotatedAt)}`;
  await rename(path, renamed);
  await reopenAfterRename(path, renamed, reopen);
  const all = [...rotated.map((file) => file.path), renamed];
  for (const old of all.slice(0, Math.max(0, all.length - (maxFiles - 1)))) await unlink(old);
  return true;
}

/**
 * Finishes a rotation that was interrupted between the rename and the reopening, for example because the gateway was
 * killed. Does nothing if the log is there, or was never rotated.
 *
 * @param reopen Undefined if the container does not run, so that nobody writes any more.
 * @throws As `rotateLog`.
 */
export async function resumeRotation(path: string, reopen: (() => Promise<void>) | undefined): Promise<void> {
  if (exists(path)) return;
  checkPlace(dirname(path));
  const newest = (await tidyLog(path, { mayCompress: true })).at(-1);
  if (newest === undefined || newest.form !== "plain") return;
  if (reopen === undefined) await restoreName(path, newest.path);
  else await reopenAfterRename(path, newest.path, reopen);
}

async function reopenAfterRename(path: string, renamed: string, reopen: () => Promise<void>): Promise<void> {
  try {
    await reopen();
  } catch (error) {
    // The call may have taken effect although it failed, or take effect later. Then the new file stays.
    if (await restoreName(path, renamed)) throw error;
  }
}

/** Gives the file its old name back, unless there is a new file by that name. Returns whether it did. */
async function restoreName(path: string, renamed: string): Promise<boolean> {
  try {
    // Unlike rename(2), link(2) never replaces a file.
    await link(renamed, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  await unlink(renamed);
  return true;
}

/** A rotated file of a log. */
export interface RotatedFile {
  readonly path: string;
  readonly rotatedAt: string;
  readonly form: "plain" | "gzip";
}

/**
 * The rotated files of a log, oldest first. Removes what interrupted work has left: partial compressions, files that are
 * compressed already, and a second name of the log itself.
 *
 * @param options.mayCompress A file may be being compressed at the moment, so partial compressions stay.
 */
export async function tidyLog(
  path: string,
  { mayCompress = false }: { readonly mayCompress?: boolean } = {},
): Promise<readonly RotatedFile[]> {
  const folder = dirname(path);
  const log = basename(path);
  const names = await readdir(folder);
  const current = regularFile(path);
  const found: RotatedFile[] = [];
  for (const name of names) {
    const { log: of, rotatedAt, form } = readLogName(name);
    if (of !== log || rotatedAt === undefined) continue;
    const file = join(folder, name);
    const stats = regularFile(file);
    if (stats === undefined) continue;
    const isCompressed = form === "plain" && names.includes(`${name}.gz`);
    const isLogItself = current !== undefined && stats.ino === current.ino && stats.dev === current.dev;
    if (form === "partial" && mayCompress) continue;
    if (form === "partial" || isCompressed || isLogItself) await rm(file, { force: true });
    else found.push({ path: file, rotatedAt, form });
  }
  return found.sort((one, other) => (one.rotatedAt < other.rotatedAt ? -1 : 1));
}

const exists = (path: string): boolean => regularFile(path) !== undefined;
