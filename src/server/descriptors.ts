/**
 * File descriptors: how many the process may have, and how they are shared out.
 *
 * A client's connection takes one, and so does each stream to the runtime that its session needs. If idle
 * connections could take all of them, nothing else would open any more: no stream, no socket, no file.
 */
import { readFileSync } from "node:fs";

export interface DescriptorShares {
  /** Connections of clients at once; undefined: no limit. */
  readonly maxConnections: number | undefined;
  /** Streams to the runtime at once, at most as many as were asked for. */
  readonly maxStreams: number;
}

/** For the runtime's sockets, files, log folders, child processes and what Node itself has open. */
const reserved = 128;

/**
 * Shares `limit` descriptors between the clients and up to `wantedStreams` streams. Streams come first, as long as
 * each can have a client: a session needs one of either.
 */
export function shareDescriptors(limit: number | undefined, wantedStreams: number): DescriptorShares {
  if (limit === undefined) return { maxConnections: undefined, maxStreams: wantedStreams };
  const free = Math.max(limit - reserved, 2);
  const maxStreams = Math.min(wantedStreams, Math.floor(free / 2));
  return { maxConnections: free - maxStreams, maxStreams };
}

const limitsFile = "/proc/self/limits";

/** How many descriptors this process may have; undefined where that is unlimited or cannot be known. */
export function descriptorLimit(): number | undefined {
  // Deno would ask the person at its terminal.
  if ("Deno" in globalThis) return undefined;
  try {
    return parseDescriptorLimit(readFileSync(limitsFile, "utf8"));
  } catch {
    return undefined;
  }
}

/** The soft limit in the text of /proc/PID/limits (proc(5)). */
export function parseDescriptorLimit(text: string): number | undefined {
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
