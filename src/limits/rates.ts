/**
 * Rates by key, with bursts: a token bucket for each key, written as the time at which the bucket would be full again
 * (the generic cell rate algorithm). One number per key and no timers.
 *
 * `@fastify/rate-limit` counts in fixed windows, which permit twice the rate, and would do one of the eight limits.
 */
export interface Rates {
  /**
   * Counts one for `key`, which may have `perSecond`. Returns 0, or the milliseconds until there is room for it; it is
   * not counted then.
   */
  take(key: string, perSecond: number): number;
  /** Number of keys in memory. */
  readonly size: number;
}

export interface RatesOptions {
  /** How many seconds' worth a key may take at once. */
  readonly burstSeconds: number;
  /** Keys in memory. Beyond it, the one that was not used for the longest time is forgotten. Default: 10,000. */
  readonly maxKeys?: number;
  /** Returns milliseconds that never go back. Default: `performance.now`. */
  readonly now?: () => number;
}

export function createRates({
  burstSeconds,
  maxKeys = 10_000,
  now = () => performance.now(),
}: RatesOptions): Rates {
  /** Key -> when its bucket is full again. The one that was not used for the longest time is first. */
  const fullAt = new Map<string, number>();
  return {
    get size() {
      return fullAt.size;
    },
    take(key, perSecond) {
      const at = now();
      const before = Math.max(fullAt.get(key) ?? at, at);
      const after = before + 1000 / perSecond;
      const waitMs = after - at - burstSeconds * 1000;
      fullAt.delete(key);
      fullAt.set(key, waitMs > 0 ? before : after);
      if (fullAt.size > maxKeys) {
        const [oldest = key] = fullAt.keys();
        fullAt.delete(oldest);
      }
      return Math.max(waitMs, 0);
    },
  };
}
