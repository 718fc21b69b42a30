/** Which paths the gateway may rename and remove: those in its own log folder that nobody else can redirect. */
import { lstatSync, readdirSync, type Stats } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { checkFolder, resolveTrusted } from "../../files/trusted-path.ts";
import { readLogName } from "./log-names.ts";

/** The path without symbolic links in its folder; undefined if the folder is absent or cannot be read. */
export async function realPlace(path: string): Promise<string | undefined> {
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch {
    return undefined;
  }
}

/** Whether a path, without symbolic links in it, is below a folder. */
export const isBelow = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

/**
 * Checks that no one but root and this user can replace any part of a path, so that it cannot lead elsewhere by the
 * time it is used. The path must have no symbolic links.
 *
 * @throws {UntrustedPathError} {NodeJS.ErrnoException}
 */
export function checkPlace(folder: string): void {
  const { path, missing } = resolveTrusted(folder);
  if (path !== folder || missing.length > 0) {
    throw Object.assign(new Error(`ENOTDIR: ${folder} leads elsewhere`), { code: "ENOTDIR" });
  }
  checkFolder(folder);
}

/** The status of a regular file; undefined if there is none, or something else in its place. */
export function regularFile(path: string): Stats | undefined {
  try {
    const stats = lstatSync(path);
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return undefined;
  }
}

/** The names of a log's regular files: its own, and those of the rotated ones. Empty if the folder cannot be read. */
export function filesOf(path: string): readonly string[] {
  try {
    return readdirSync(dirname(path), { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() && readLogName(entry.name).log === basename(path) ? [entry.name] : [],
    );
  } catch {
    return [];
  }
}
