/**
 * Limits how many refusals are recorded that are free to cause: wrong tokens, and requests beyond a caller's limit.
 * Whoever sends them could otherwise have the audit log rotate until nothing else is in it.
 */

export interface RefusalLimit {
  /** Whether one more may be recorded. Otherwise it is counted. */
  admits(): boolean;
  /** How many were counted since the last call. */
  takeOmitted(): number;
}

const burst = 100;
const perSecond = 1;

export function createRefusalLimit(now: () => number = () => performance.now()): RefusalLimit {
  let room = burst;
  let at = now();
  let omitted = 0;
  return {
    admits() {
      const time = now();
      room = Math.min(burst, room + ((time - at) / 1000) * perSecond);
      at = time;
      if (room < 1) {
        omitted++;
        return false;
      }
      room--;
      return true;
    },
    takeOmitted() {
      const count = omitted;
      omitted = 0;
      return count;
    },
  };
}
