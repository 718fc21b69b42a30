/** The rounds of the last 15 minutes, for sparklines. Its memory is bounded. */
import type { Round } from "./rates.ts";

export const historyMs = 15 * 60_000;
/** Rounds closer together than this are not kept: 180 points fill the time. */
const resolutionMs = 5000;
/** Members of all rounds together: those of 2,000 pods or containers, 30 MB. */
const maxValues = 360_000;

export interface History {
  note(round: Round): void;
  /** The rounds of the last so many milliseconds, the oldest first. */
  since(milliseconds: number): readonly Round[];
}

/** `now` in milliseconds since the epoch; default: the clock's. */
export function createHistory(now: () => number = Date.now): History {
  let rounds: Round[] = [];
  let size = 0;

  function forget(): void {
    const oldest = (now() - historyMs) / 1000;
    const gone = rounds.findIndex(({ time }) => time >= oldest);
    drop(gone === -1 ? rounds.length : gone);
    let extra = 0;
    for (let rest = size; rest > maxValues && extra < rounds.length - 1; extra++)
      rest -= rounds[extra]?.members.length ?? 0;
    drop(extra);
  }

  function drop(count: number): void {
    for (const { members } of rounds.slice(0, count)) size -= members.length;
    rounds = rounds.slice(count);
  }

  return {
    note({ time, members, values }) {
      const last = rounds.at(-1);
      // A little less: timers are late, and every second round would be left out.
      if (last !== undefined && (time - last.time) * 1000 < resolutionMs - 500) return;
      rounds.push({ time, members, values });
      size += members.length;
      forget();
    },
    since(milliseconds) {
      forget();
      const from = (now() - milliseconds) / 1000;
      return rounds.filter(({ time }) => time >= from);
    },
  };
}
