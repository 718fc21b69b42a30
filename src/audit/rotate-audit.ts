/** Rotates the file of the audit log. The names are those of rotated container logs: `audit.log.20260131-235959`. */
import { readdirSync, renameSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readLogName, rotationTime } from "../logs/keeping/log-names.ts";

/**
 * Gives the file another name and removes the oldest that are too many. Whoever writes opens a new one.
 *
 * @throws {NodeJS.ErrnoException}
 */
export function rotateAudit(path: string, maxFiles: number): void {
  const folder = dirname(path);
  const rotated = readdirSync(folder)
    .map(readLogName)
    .flatMap(({ log, rotatedAt, form }) =>
      log === basename(path) && rotatedAt !== undefined && form === "plain" ? [rotatedAt] : [],
    )
    .sort();
  const now = rotationTime(Date.now(), rotated.at(-1));
  renameSync(path, `${path}.${now}`);
  const all = [...rotated, now];
  for (const old of all.slice(0, Math.max(0, all.length - (maxFiles - 1))))
    unlinkSync(join(folder, `${basename(path)}.${old}`));
}
