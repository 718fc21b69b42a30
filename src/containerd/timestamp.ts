import type { Timestamp } from "../gen/containerd/messages.ts";

/** Nanoseconds since 1970; 0 if there is no time. containerd sends the year 1 for a time that was never set. */
export function nanosOf(timestamp: Timestamp | undefined): bigint {
  if (timestamp === undefined || timestamp.seconds.startsWith("-")) return 0n;
  return BigInt(timestamp.seconds) * 1_000_000_000n + BigInt(timestamp.nanos);
}
