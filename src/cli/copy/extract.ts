/**
 * Writes an archive of a container to this machine. The container is not trusted.
 *
 * Invariants: nothing is written outside of `target`, and nothing through a symbolic link. Links are made at the very end, in
 * folders that are none. No devices, no set-user-ID, set-group-ID or sticky bits; files belong to whoever runs crest.
 */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import {
  chmod,
  constants,
  link,
  lstat,
  mkdir,
  open,
  readlink,
  rename,
  symlink,
  unlink,
  utimes,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StartError } from "../../errors.ts";
import type { ArchiveEntry } from "./read-archive.ts";

export interface ExtractOptions {
  /** Where the first entry goes. What is above it must exist. */
  readonly target: string;
  /** The path of the first entry in the archive, as its parts: all others are below it. */
  readonly root: readonly string[];
  /** Whether links that lead out of `target` are made as well. */
  readonly unsafeLinks: boolean;
  /** Bits that no file gets. */
  readonly umask: number;
  /** Called for what is left out. */
  leftOut(path: string, why: string): void;
  /** Called with the bytes of files, as they are written. */
  written(bytes: number): void;
}

export interface Extraction {
  take(entry: ArchiveEntry): Promise<void>;
  /** Makes the links, and gives folders their permissions and times. */
  finish(): Promise<void>;
}

interface Link {
  readonly parts: readonly string[];
  readonly target: string;
}

const permissionBits = 0o777;

export function extraction(options: ExtractOptions): Extraction {
  const { target, root, umask, leftOut, written } = options;
  /** Folders that are known to be real ones. */
  const checked = new Set<string>();
  const files = new Set<string>();
  const links: Link[] = [];
  const made: { readonly path: string; readonly mode: number; readonly mtime: Date | undefined }[] = [];

  /** The parts below the root. @throws {StartError} */
  function partsOf(path: string, what = path): readonly string[] {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    const isBelow = root.every((part, at) => parts[at] === part);
    if (path.startsWith("/") || parts.includes("..") || path.includes("\0") || !isBelow)
      throw new StartError(`The container sent "${what}", which is outside of what was asked for`);
    return parts.slice(root.length);
  }
  const pathOf = (parts: readonly string[]): string => join(target, ...parts);

  /** Makes sure that the folders above are real ones, and makes those that are missing. @throws {StartError} */
  async function parentOf(parts: readonly string[]): Promise<void> {
    for (let depth = 0; depth < parts.length; depth++) await folder(parts.slice(0, depth));
  }

  /** Returns whether it was made. */
  async function folder(parts: readonly string[]): Promise<boolean> {
    const path = pathOf(parts);
    if (checked.has(path)) return false;
    const stats = await statOf(path);
    if (stats === undefined) await mkdir(path, 0o700);
    else if (!stats.isDirectory()) throw inTheWay(path, stats, "a folder");
    checked.add(path);
    if (stats === undefined) made.push({ path, mode: permissionBits & ~umask, mtime: undefined });
    return stats === undefined;
  }

  async function file(parts: readonly string[], entry: ArchiveEntry): Promise<void> {
    const path = pathOf(parts);
    await clear(path, false);
    const partial = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString("hex")}`);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    const handle = await open(partial, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
    try {
      let size = 0;
      for await (const chunk of entry) {
        let at = 0;
        while (at < chunk.length) at += (await handle.write(chunk, at)).bytesWritten;
        size += chunk.length;
        written(chunk.length);
      }
      if (size !== entry.size)
        throw new StartError(`The container sent ${size} of ${entry.size} bytes of "${path}"`);
      await handle.chmod((entry.mode ?? 0o644) & permissionBits & ~umask);
      const time = timeOf(entry);
      if (time !== undefined) await handle.utimes(time, time);
      await handle.close();
      await rename(partial, path);
    } catch (error) {
      await handle.close().catch(() => undefined);
      await unlink(partial).catch(() => undefined);
      throw error;
    }
    files.add(path);
  }

  /** Removes a file or a link of an earlier copy. @throws {StartError} if something else is there. */
  async function clear(path: string, isRemoved: boolean): Promise<void> {
    const stats = await statOf(path);
    if (stats === undefined) return;
    if (!stats.isFile() && !stats.isSymbolicLink()) throw inTheWay(path, stats, "a file");
    if (isRemoved) await unlink(path);
  }

  return {
    async take(entry) {
      const parts = partsOf(entry.path);
      await parentOf(parts);
      switch (entry.type) {
        case "Directory": {
          entry.resume();
          const isNew = await folder(parts);
          const last = made.at(-1);
          if (isNew && last !== undefined)
            made[made.length - 1] = {
              path: last.path,
              mode: (entry.mode ?? 0o755) & permissionBits & ~umask,
              mtime: timeOf(entry),
            };
          return;
        }
        case "File":
        case "OldFile":
        case "ContiguousFile":
          await file(parts, entry);
          return;
        case "SymbolicLink":
          entry.resume();
          links.push({ parts, target: entry.linkpath ?? "" });
          return;
        case "Link": {
          entry.resume();
          const original = pathOf(partsOf(entry.linkpath ?? "", `${entry.path} -> ${entry.linkpath}`));
          if (!files.has(original))
            throw new StartError(
              `The container sent a link to "${entry.linkpath}", which it did not send before`,
            );
          const path = pathOf(parts);
          if (path === original) return;
          await clear(path, true);
          await link(original, path);
          files.add(path);
          return;
        }
        default:
          entry.resume();
          leftOut(entry.path, "it is no file, folder or link");
      }
    },
    async finish() {
      for (const { parts, target: text } of links) {
        const path = pathOf(parts);
        if (!options.unsafeLinks && leadsOut(parts, text)) {
          leftOut(
            parts.join("/") || basename(target),
            `its link leads out, to ${text}; --unsafe-links makes it`,
          );
          continue;
        }
        const stats = await statOf(path);
        if (stats?.isSymbolicLink() && (await readlink(path)) === text) continue;
        await clear(path, true);
        await symlink(text, path);
      }
      for (const { path, mode, mtime } of made.reverse()) {
        await chmod(path, mode);
        if (mtime !== undefined) await utimes(path, mtime, mtime);
      }
    },
  };
}

/**
 * Whether a link may lead out of the root. `..` counts at its beginning only: behind a name, which may be a link itself,
 * nobody knows where it leads.
 */
export function leadsOut(parts: readonly string[], target: string): boolean {
  if (target.startsWith("/") || target === "" || parts.length === 0) return true;
  const steps = target.split("/").filter((step) => step !== "" && step !== ".");
  const up = steps.findIndex((step) => step !== "..");
  const levels = up === -1 ? steps.length : up;
  return levels > parts.length - 1 || steps.slice(levels).includes("..");
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function inTheWay(path: string, stats: Stats, expected: string): StartError {
  const is = stats.isSymbolicLink()
    ? "a symbolic link, which nothing is written through"
    : stats.isDirectory()
      ? "a folder"
      : "no folder";
  return new StartError(`Cannot write ${expected} to "${path}": there is ${is}`);
}

/** Times before 1970 and after 2106 are not every file system's. */
function timeOf({ mtime }: ArchiveEntry): Date | undefined {
  const seconds = mtime === undefined ? Number.NaN : mtime.getTime() / 1000;
  return seconds >= 0 && seconds < 2 ** 32 ? mtime : undefined;
}
