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

/** Waits until a number does not change any more, and gives it. */
export async function stillValue(value: () => number): Promise<number> {
  let last = Number.NaN;
  let times = 0;
  await eventually(
    () => {
      const now = value();
      times = now === last ? times + 1 : 0;
      last = now;
      return times >= 10;
    },
    { timeoutMs: 20_000, intervalMs: 25 },
  );
  return last;
}
