/** Keeps the rounds of the last 15 minutes, for sparklines, in bounded memory. */
import type { Round } from "./rates.ts";

export const historyMs = 15 * 60_000;
/** Rounds closer together than this are not kept: 180 points fill the time. */
const resolutionMs = 5000;
/** Maximum number of members in all rounds: enough for 2,000 pods or containers, in 30 MB. */
const maxValues = 360_000;

export interface History {
  note(round: Round): void;
  /** Returns the rounds of the last `milliseconds`, oldest first. */
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
      // Slightly less, or late timers would make it skip every second round.
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
