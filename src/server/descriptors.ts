/**
 * File descriptors: how many the process may use, and how they are shared.
 *
 * Each client connection takes one, and so does each stream to the runtime that a session needs. If idle connections
 * could take all of them, nothing else could open: no stream, no socket, no file.
 */
import { readFileSync } from "node:fs";

export interface DescriptorShares {
  /** Maximum number of client connections; undefined: no limit. */
  readonly maxConnections: number | undefined;
  /** Maximum number of streams to the runtime; never more than requested. */
  readonly maxStreams: number;
}

/** For runtime sockets, files, log folders, child processes and Node itself. */
const reserved = 128;

/**
 * Shares `limit` descriptors between clients and up to `wantedStreams` streams. Streams come first, as long as each can
 * have a client, because a session needs one of each.
 */
export function shareDescriptors(limit: number | undefined, wantedStreams: number): DescriptorShares {
  if (limit === undefined) return { maxConnections: undefined, maxStreams: wantedStreams };
  const free = Math.max(limit - reserved, 2);
  const maxStreams = Math.min(wantedStreams, Math.floor(free / 2));
  return { maxConnections: free - maxStreams, maxStreams };
}

const limitsFile = "/proc/self/limits";

/** The number of descriptors that this process may use; undefined if it is unlimited or unknown. */
export function descriptorLimit(): number | undefined {
  // Deno would prompt for permission.
  if ("Deno" in globalThis) return undefined;
  try {
    return parseDescriptorLimit(readFileSync(limitsFile, "utf8"));
  } catch {
    return undefined;
  }
}

/** Parses the soft limit from the text of /proc/PID/limits (proc(5)). */
export function parseDescriptorLimit(text: string): number | undefined {
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
