/** Measures retained memory, and waits for values that settle. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { eventually } from "./eventually.ts";

let collect: (() => void) | undefined;

/** Bytes held by buffers of this process, without garbage. */
export function keptBytes(): number {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Waits until a number stops changing, and returns it. */
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
