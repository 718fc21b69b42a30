/** Keeps pods and containers for a while after their end, so that the last values of their counters are scraped. */

const keptMs = 5 * 60_000;
/** Of a node on which containers start and end all the time. */
const maxEnded = 500;

export interface Seen<T> {
  readonly reading: T;
  /** In seconds since the epoch. */
  readonly lastSeen: number;
  readonly ended: boolean;
}

/** Remembers the readings of each scrape. */
export function createRecent<T extends { readonly id: string }>() {
  let known = new Map<string, Seen<T>>();
  return {
    /** Returns existing ones, and up to 500 that ended within the last five minutes. `time`: in seconds. */
    update(readings: readonly T[], time: number): readonly Seen<T>[] {
      const here = readings.map((reading): Seen<T> => ({ reading, lastSeen: time, ended: false }));
      const ids = new Set(readings.map(({ id }) => id));
      const gone = [...known.values()]
        .filter(({ reading, lastSeen }) => !ids.has(reading.id) && (time - lastSeen) * 1000 < keptMs)
        .map((seen) => ({ ...seen, ended: true }))
        .sort((a, b) => b.lastSeen - a.lastSeen)
        .slice(0, maxEnded);
      const all = [...here, ...gone];
      known = new Map(all.map((seen) => [seen.reading.id, seen]));
      return all;
    },
  };
}
