/** What is kept, and what has come to a standstill. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { eventually } from "./eventually.ts";

let collect: (() => void) | undefined;

/** Bytes that buffers of this process hold, without those that only wait to be collected. */
export function keptBytes(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Waits until a number has not changed for half a second, and gives it. */
export async function stillValue(value: () => number): Promise<number> {
  let last = Number.NaN;
  let since = 0;
  return eventually(
    () => {
      const now = value();
      if (now !== last) since = performance.now();
      last = now;
      // Zero is a value, too.
      return performance.now() - since > 500 ? { now } : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 25 },
  ).then(({ now }) => now);
}
