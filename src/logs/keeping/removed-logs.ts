/**
 * Remembers since when each log has had no container, in a file, so that a restart does not extend how long it is kept.
 * The time of a file's last change would not do: a container may be silent for days before it is removed.
 */
import { join } from "node:path";
import { readTrustedFile, replaceFile } from "../../files/trusted-file.ts";

/** A log's path below the log folder -> when it was first seen without a container, in ms since the Unix epoch. */
export type RemovedLogs = ReadonlyMap<string, number>;

const fileOf = (dataDir: string): string => join(dataDir, "removed-logs.json");

/** Ignores an unreadable file, and times in the future: those logs are kept for longer. */
export function readRemovedLogs(dataDir: string, nowMs: number): RemovedLogs {
  try {
    const entries = Object.entries(JSON.parse(readTrustedFile(fileOf(dataDir)).toString("utf8")) as object);
    return new Map(
      entries.flatMap(([path, time]: [string, unknown]) =>
        typeof time === "number" && time >= 0 && time <= nowMs ? [[path, time] as const] : [],
      ),
    );
  } catch {
    return new Map();
  }
}

/** @throws {NodeJS.ErrnoException} */
export async function writeRemovedLogs(dataDir: string, removed: RemovedLogs): Promise<void> {
  await replaceFile(fileOf(dataDir), `${JSON.stringify(Object.fromEntries(removed))}\n`);
}
