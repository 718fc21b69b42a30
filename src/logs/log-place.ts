/**
 * Where a container's log is, and how its files are opened.
 *
 * The path comes from the runtime, which has it from whoever created the container, and a container with access to the
 * log folder could put anything there. So the file must lie below one of a few folders, no link is followed but
 * dockerd's own, and nothing but a regular file is read.
 */

import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { GatewayError } from "../errors.ts";
import { isBelow } from "../files/trusted-path.ts";

/** Folders below which kubelets and CRI-O keep the logs of containers, besides the gateway's own. */
export const nodeLogRoots: readonly string[] = ["/var/log/pods", "/var/log/crio/pods"];

/** The folder and the name of a log file. Rotated files are beside it. */
export interface LogPlace {
  /** Without symbolic links. */
  readonly folder: string;
  readonly name: string;
}

export interface LocateOptions {
  readonly containerId: string;
  /** Folders below which logs may lie. */
  readonly roots: readonly string[];
}

/**
 * Finds the log at the path that the runtime reports.
 *
 * @returns Undefined if its folder does not exist (yet).
 * @throws {GatewayError} `log_not_readable` if there is no path, or it leads to where no logs are read.
 */
export async function locateLog(
  logPath: string,
  { containerId, roots }: LocateOptions,
): Promise<LogPlace | undefined> {
  if (logPath === "")
    throw notReadable(
      containerId,
      "it has none, because its pod or the container was created without a log path",
    );
  if (!isAbsolute(logPath))
    throw notReadable(containerId, `its path ${JSON.stringify(logPath)} is not absolute`);
  const folder = await realpath(dirname(logPath)).catch(absent);
  if (folder === undefined) return undefined;
  const name = basename(logPath);
  if (!(await isBelowAny(folder, roots)))
    throw notReadable(
      containerId,
      `${folder} is not below ${roots.join(", ")}; give the pod no logDirectory, or one below these`,
    );
  const path = join(folder, name);
  const stats = await lstat(path).catch(absent);
  if (stats?.isSymbolicLink()) return await dockerPlace(path, containerId);
  if (stats !== undefined && !stats.isFile()) throw notReadable(containerId, `${path} is not a regular file`);
  return { folder, name };
}

/** The file behind cri-dockerd's link: `<data-root>/containers/ID/ID-json.log`, for this container only. */
async function dockerPlace(link: string, containerId: string): Promise<LogPlace | undefined> {
  const target = resolve(dirname(link), await readlink(link));
  const folder = await realpath(dirname(target)).catch(absent);
  if (folder === undefined) return undefined;
  const isDockers =
    basename(target) === `${containerId}-json.log` &&
    basename(folder) === containerId &&
    basename(dirname(folder)) === "containers";
  if (!isDockers) throw notReadable(containerId, `${link} is a symbolic link to ${target}`);
  return { folder, name: basename(target) };
}

async function isBelowAny(folder: string, roots: readonly string[]): Promise<boolean> {
  for (const root of roots) {
    const real = await realpath(root).catch(absent);
    if (real !== undefined && isBelow(folder, real)) return true;
  }
  return false;
}

const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Opens a file of the log's folder for reading.
 *
 * @returns Undefined if it does not exist.
 * @throws {GatewayError} `log_not_readable` if it is no regular file, or in another folder.
 */
export async function openLogFile({ folder }: LogPlace, name: string): Promise<FileHandle | undefined> {
  const path = join(folder, name);
  let file: FileHandle;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "EMFILE" || code === "ENFILE")
      throw new GatewayError("overloaded", "Cannot open a log: too many files are open", { cause: error });
    throw new GatewayError("log_not_readable", `Cannot read the log ${path}: ${code ?? String(error)}`, {
      cause: error,
    });
  }
  try {
    if (!(await file.stat()).isFile())
      throw new GatewayError("log_not_readable", `Cannot read the log ${path}: it is not a regular file`);
    // A folder above it may have been replaced by a link since it was checked.
    const real = await readlink(`/proc/self/fd/${file.fd}`).catch(() => undefined);
    if (real !== undefined && dirname(real) !== folder)
      throw new GatewayError("log_not_readable", `Cannot read the log ${path}: it is in another folder`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Undefined for what does not exist. */
export function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}

function notReadable(containerId: string, why: string): GatewayError {
  return new GatewayError("log_not_readable", `Cannot read the log of container "${containerId}": ${why}`);
}
