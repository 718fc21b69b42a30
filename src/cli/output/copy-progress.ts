/** How much of a copy is done, on a terminal. Elsewhere nothing is shown. */
import type { Output } from "../terminal.ts";
import { duration } from "./duration.ts";
import { liveRegion } from "./live-region.ts";
import { diskSize } from "./sizes.ts";

const drawEveryMs = 200;

export interface CopyProgress {
  add(bytes: number): void;
  /** Takes it away. */
  clear(): void;
}

export function copyProgress(output: Output): CopyProgress {
  if (output.isTTY !== true) return { add: () => undefined, clear: () => undefined };
  const region = liveRegion(output);
  const begun = performance.now();
  let drawnAt = begun;
  let total = 0;
  return {
    add(bytes) {
      total += bytes;
      const now = performance.now();
      if (now - drawnAt < drawEveryMs) return;
      drawnAt = now;
      const elapsedMs = now - begun;
      region.draw([`${diskSize(total)}, ${diskSize((total / elapsedMs) * 1000)}/s, ${duration(elapsedMs)}`]);
    },
    clear: region.clear,
  };
}
