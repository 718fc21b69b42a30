/** Computes CPU rates that the runtime omits, from the CPU time used between two readings. */

/** One reading: its time, and the CPU time used until then, both in nanoseconds. */
interface Reading {
  readonly timestamp: bigint;
  readonly used: bigint;
  /** The rate between the previous reading and this one, if there was one. */
  readonly rate: string | undefined;
}

const remembered = 10_000;
const second = 1_000_000_000n;
/** Readings closer together than this, in nanoseconds, are too imprecise and get the previous rate. */
const shortest = 100_000_000n;

export interface CpuRates {
  /**
   * Returns the billionths of a core that `id` used since the previous reading; undefined for the first one.
   * `timestamp` and `used` are CRI's, as decimal strings.
   */
  rateOf(id: string, timestamp: string, used: string): string | undefined;
}

export function createCpuRates(): CpuRates {
  const readings = new Map<string, Reading>();
  return {
    rateOf(id, timestamp, used) {
      const before = readings.get(id);
      const now = { timestamp: BigInt(timestamp), used: BigInt(used) };
      const passed = before === undefined ? 0n : now.timestamp - before.timestamp;
      if (before !== undefined && passed < shortest && passed > -second) return before.rate;
      // The counter goes back when a process is restarted, the time when a clock is set.
      const spent = before === undefined || passed < 0n ? -1n : now.used - before.used;
      const rate = spent < 0n ? undefined : String((spent * second) / passed);
      readings.delete(id);
      readings.set(id, { ...now, rate });
      if (readings.size > remembered) {
        const oldest = readings.keys().next();
        if (!oldest.done) readings.delete(oldest.value);
      }
      return rate;
    },
  };
}
