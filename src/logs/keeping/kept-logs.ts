/**
 * Remembers whose the logs in the log folder are. The runtime forgets the names and labels of a container with it, but
 * its log is kept for some time, and found by them.
 *
 * They are in a file, so that neither a restart nor a crash of the gateway loses them or extends how long a log is kept.
 * It has a line of JSON for each log; the last line of a log counts.
 */
import { closeSync, constants, writeSync } from "node:fs";
import { join } from "node:path";
import { openOwnFile, readTrustedFile, replaceFile } from "../../files/trusted-file.ts";
import { isSelected, type LogOwner, type Selection } from "../log-selection.ts";

/** A log in the log folder. */
export interface KeptLog {
  /** Below the log folder. */
  readonly path: string;
  /** When it was first seen without a container, in ms since the Unix epoch; undefined if it has one. */
  readonly removedAtMs?: number | undefined;
  /** Undefined if nobody saw its container. */
  readonly owner?: LogOwner | undefined;
}

export type OwnedLog = KeptLog & { readonly owner: LogOwner };

export interface KeptLogs {
  all(): readonly KeptLog[];
  get(path: string): KeptLog | undefined;
  /** Those whose containers match: with a container first, then by the time of the removal, the latest first. */
  select(selection: Selection): readonly OwnedLog[];
  /** Replaces what is known of a log. The file has it too, or after the next `compact()` if it cannot be written. */
  note(log: KeptLog): void;
  forget(path: string): void;
  /** Writes the file anew if it is not what is known, or has more lines than needed. @throws {NodeJS.ErrnoException} */
  compact(): Promise<void>;
}

/** Removed containers that are remembered. Beyond, logs are kept but no longer found. */
const maxRemovedOwners = 10_000;

/** Reads the file when it is first needed. Ignores a file that others could write to, and damaged lines. */
export function createKeptLogs(dataDir: string): KeptLogs {
  const file = join(dataDir, "kept-logs.jsonl");
  let known: Map<string, KeptLog> | undefined;
  /** Whether the file has lines that do not count, or lacks some. */
  let isStale = false;
  /** Lines that were added while the file is replaced. */
  let added: string[] | undefined;

  function logs(): Map<string, KeptLog> {
    if (known !== undefined) return known;
    known = new Map();
    try {
      for (const line of readTrustedFile(file).toString("utf8").split("\n")) {
        if (line === "") continue;
        const log = parseLine(line);
        if (log === undefined || known.has(log.path)) isStale = true;
        if (log !== undefined) known.set(log.path, log);
      }
    } catch (error) {
      isStale = (error as NodeJS.ErrnoException).code !== "ENOENT";
    }
    return known;
  }

  /** Each line begins with the newline, so that one that was not written completely spoils no other. */
  function append(line: string): void {
    const fd = openOwnFile(file, constants.O_WRONLY | constants.O_APPEND);
    try {
      writeSync(fd, line);
    } finally {
      closeSync(fd);
    }
  }

  function forgetOldOwners(): void {
    const owned = [...logs().values()].filter((log) => log.owner && log.removedAtMs !== undefined);
    owned.sort((one, other) => (other.removedAtMs ?? 0) - (one.removedAtMs ?? 0));
    for (const { path, removedAtMs } of owned.slice(maxRemovedOwners)) {
      logs().set(path, { path, removedAtMs });
      isStale = true;
    }
  }

  return {
    all: () => [...logs().values()],
    get: (path) => logs().get(path),
    select(selection) {
      const found = [...logs().values()].filter(
        (log): log is OwnedLog => log.owner !== undefined && isSelected(log.owner, selection),
      );
      const rank = ({ removedAtMs = Number.MAX_VALUE }: KeptLog): number => removedAtMs;
      return found.sort((one, other) => rank(other) - rank(one));
    },
    note(log) {
      if (logs().has(log.path)) isStale = true;
      logs().set(log.path, log);
      const line = `\n${JSON.stringify(log)}`;
      added?.push(line);
      try {
        append(line);
      } catch {
        isStale = true;
      }
    },
    forget(path) {
      if (logs().delete(path)) isStale = true;
    },
    async compact() {
      forgetOldOwners();
      if (!isStale || added !== undefined) return;
      isStale = false;
      added = [];
      try {
        await replaceFile(file, [...logs().values()].map((log) => `\n${JSON.stringify(log)}`).join(""));
        if (added.length > 0) append(added.join(""));
      } catch (error) {
        isStale = true;
        throw error;
      } finally {
        added = undefined;
      }
    },
  };
}

/** Undefined for a line that the gateway did not write. A time in the future is left out. */
function parseLine(line: string): KeptLog | undefined {
  try {
    const { path, removedAtMs, owner } = JSON.parse(line) as { readonly [name: string]: unknown };
    if (typeof path !== "string" || join("/", path) !== `/${path}`) return undefined;
    if (owner !== undefined && !isOwner(owner)) return undefined;
    const isTime = typeof removedAtMs === "number" && removedAtMs >= 0 && removedAtMs <= Date.now();
    return { path, removedAtMs: isTime ? removedAtMs : undefined, owner };
  } catch {
    return undefined;
  }
}

const areLabels = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.values(value).every((label) => typeof label === "string");

function isOwner(value: unknown): value is LogOwner {
  if (typeof value !== "object" || value === null) return false;
  const { attempt, labels, podLabels = {}, ...texts } = value as { readonly [name: string]: unknown };
  const { id, name, podSandboxId, pod, namespace } = texts;
  return (
    [id, name, podSandboxId, pod, namespace].every((text) => typeof text === "string") &&
    Number.isSafeInteger(attempt) &&
    [labels, podLabels].every(areLabels)
  );
}
