/** The limits of callers that the operator has not set. */
import type { CallerLimits } from "../config/options.ts";

/** What all callers share. */
export interface Capacity {
  readonly sessions: number;
  /** Undefined: no limit. */
  readonly connections: number | undefined;
  readonly pulls: number;
}

/** More than any client sends by itself: `kubectl` stops at 50. */
const requestsPerSecond = 1000;
const bodyBytes = 64 * 1024 * 1024;

/**
 * Where there is only one caller, nobody else could be short of anything, and it may use all that there is. Of several,
 * each may use a part, so that one alone leaves the others room. Sessions and streams take the same places: a caller
 * that uses all of both has half of them.
 */
export function defaultLimits(
  { sessions, connections, pulls }: Capacity,
  { areSeveral, given = {} }: { readonly areSeveral: boolean; readonly given?: CallerLimits | undefined },
): CallerLimits {
  if (!areSeveral) return given;
  const part = (whole: number, parts: number): number => Math.max(1, Math.floor(whole / parts));
  return {
    requestsPerSecond,
    ...(connections === undefined ? {} : { connections: part(connections, 2) }),
    sessions: part(sessions, 4),
    streams: part(sessions, 4),
    pulls: part(pulls, 2),
    bodyBytes,
    ...given,
  };
}
