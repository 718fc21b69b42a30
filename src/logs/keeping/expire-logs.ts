/** Removes the logs of containers that no longer exist, once they are old or take too much space. */
import type { Dirent } from "node:fs";
import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { KeptLogs } from "./kept-logs.ts";
import { readLogName } from "./log-names.ts";
import { checkPlace, isBelow, regularFile } from "./log-place.ts";

export interface ExpireOptions {
  /** Learns which logs have no container, and forgets those that are gone. */
  readonly kept: KeptLogs;
  /** The log folder, without symbolic links. */
  readonly root: string;
  /** How long to keep the log of a removed container, in milliseconds; 0: for ever. */
  readonly keepMs: number;
  /** Disk space for all of them; 0: no limit. */
  readonly totalBytes: number;
  /** No log is removed earlier than this after it was first seen without a container. */
  readonly settleMs: number;
  readonly nowMs?: number;
  /** Reads the logs that exist. Called after the folder was read, so that no new container is missed. */
  readonly existing: () => Promise<{
    readonly paths: ReadonlySet<string>;
    readonly podIds: ReadonlySet<string>;
  }>;
}

/** A log without a container, with its rotated files. */
interface Orphan {
  /** Below the root. */
  readonly key: string;
  readonly files: readonly LogFile[];
  readonly removedAtMs: number;
}

interface LogFile {
  readonly path: string;
  /** The log that it belongs to. */
  readonly log: string;
  readonly rotatedAt: string | undefined;
  readonly bytes: number;
  readonly changedAtMs: number;
}

/** A log may have a path of the caller's own, but hardly one with more folders. */
const maxDepth = 16;

/**
 * Removes expired logs, oldest first, and folders that have been empty for `settleMs`.
 *
 * Leaves alone what is no regular file, and folders that others can write to.
 *
 * @returns How many files it removed.
 * @throws As `existing`, before anything is removed; {NodeJS.ErrnoException}
 */
export async function expireLogs(options: ExpireOptions): Promise<number> {
  const { kept, root, keepMs, totalBytes, settleMs, nowMs = Date.now() } = options;
  const known = kept.all();
  const { files, folders } = await walk(root);
  const { paths, podIds } = files.length + known.length === 0 ? none : await options.existing();
  const orphans = orphansOf(root, files, { kept, nowMs, isInUse: (log) => isInUse(log, paths, podIds) });
  const keys = new Set(orphans.map(({ key }) => key));
  for (const { path, removedAtMs, owner } of known) {
    const hasContainer = paths.has(join(root, path));
    if (hasContainer && removedAtMs !== undefined) kept.note({ path, owner });
    // Its files were removed by somebody else.
    if (!hasContainer && !keys.has(path)) kept.forget(path);
  }
  for (const { key: path, removedAtMs } of orphans)
    if (kept.get(path)?.removedAtMs !== removedAtMs)
      kept.note({ path, removedAtMs, owner: kept.get(path)?.owner });
  let removed = 0;
  let total = sum(orphans.flatMap((orphan) => orphan.files));
  for (const orphan of orphans) {
    const ageMs = nowMs - Math.max(orphan.removedAtMs, ...orphan.files.map((file) => file.changedAtMs));
    const isOld = keepMs > 0 && ageMs >= keepMs;
    if (ageMs < settleMs) continue;
    let left = orphan.files.length;
    for (const { path, bytes } of orphan.files) {
      if (!isOld && !(totalBytes > 0 && total > totalBytes)) break;
      await unlink(path);
      total -= bytes;
      removed += 1;
      left -= 1;
    }
    if (left === 0) kept.forget(orphan.key);
  }
  await kept.compact();
  for (const folder of folders) await removeEmpty(folder, nowMs - settleMs);
  return removed;
}

const none = { paths: new Set<string>(), podIds: new Set<string>() };
const sum = (files: readonly LogFile[]): number => files.reduce((bytes, file) => bytes + file.bytes, 0);

/** Whether a log has a container. CRI-O also has a log for each pod, called after its id. */
const isInUse = (log: string, paths: ReadonlySet<string>, podIds: ReadonlySet<string>): boolean =>
  paths.has(log) || podIds.has(basename(log, ".log"));

interface OrphanOptions {
  readonly kept: KeptLogs;
  readonly nowMs: number;
  readonly isInUse: (log: string) => boolean;
}

/** Those removed first come first, and the files of each from the oldest to the one written last. */
function orphansOf(root: string, files: readonly LogFile[], options: OrphanOptions): readonly Orphan[] {
  const byLog = new Map<string, LogFile[]>();
  for (const file of files) {
    if (options.isInUse(file.log)) continue;
    const others = byLog.get(file.log);
    if (others === undefined) byLog.set(file.log, [file]);
    else others.push(file);
  }
  const orphans = [...byLog].map(([log, own]): Orphan => {
    const key = log.slice(root.length + 1);
    const age = ({ rotatedAt }: LogFile): string => rotatedAt ?? "~";
    return {
      key,
      files: own.sort((one, other) => (age(one) < age(other) ? -1 : 1)),
      removedAtMs: options.kept.get(key)?.removedAtMs ?? options.nowMs,
    };
  });
  const lastChange = ({ files: own }: Orphan): number => Math.max(...own.map((file) => file.changedAtMs));
  return orphans.sort(
    (one, other) => one.removedAtMs - other.removedAtMs || lastChange(one) - lastChange(other),
  );
}

/** Finds all regular files below the root, and all folders, the deepest first. Follows no links. */
async function walk(
  root: string,
): Promise<{ readonly files: readonly LogFile[]; readonly folders: readonly string[] }> {
  const files: LogFile[] = [];
  const folders: string[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < maxDepth && isTrusted(path)) {
        await visit(path, depth + 1);
        folders.push(path);
      } else if (entry.isFile() && depth > 0) {
        const stats = regularFile(path);
        if (stats === undefined) continue;
        const { log, rotatedAt } = readLogName(entry.name);
        const { size: bytes, mtimeMs: changedAtMs } = stats;
        files.push({ path, log: join(folder, log), rotatedAt, bytes, changedAtMs });
      }
    }
  };
  await visit(root, 0);
  return { files, folders: folders.filter((folder) => isBelow(folder, root)) };
}

/** The entries of a folder; none if it has just been removed. */
async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function isTrusted(folder: string): boolean {
  try {
    checkPlace(folder);
    return true;
  } catch {
    return false;
  }
}

/** A new folder is empty until its pod's first container has started. */
async function removeEmpty(folder: string, changedBeforeMs: number): Promise<void> {
  try {
    if ((await lstat(folder)).mtimeMs < changedBeforeMs) await rmdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "ENOENT" && code !== "EEXIST") throw error;
  }
}
