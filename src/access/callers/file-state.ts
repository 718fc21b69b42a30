/** Tells whether a file has changed, for the price of one stat. */
import { type BigIntStats, statSync } from "node:fs";

/** Changes within one tick of the file system's clock are not seen by its times. */
const settledMs = 1000;

/**
 * A text that differs whenever the file, its owner or its mode does; undefined if it was changed a moment ago, so that
 * another change might not show.
 */
export function fileState(path: string): string | undefined {
  let stats: BigIntStats;
  try {
    stats = statSync(path, { bigint: true });
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).code}`;
  }
  const { dev, ino, size, ctimeNs, ctimeMs, mode, uid } = stats;
  // A clock that was set back must not keep it unsettled for long.
  if (Math.abs(Date.now() - Number(ctimeMs)) < settledMs) return undefined;
  return [dev, ino, size, ctimeNs, mode, uid].join(":");
}
