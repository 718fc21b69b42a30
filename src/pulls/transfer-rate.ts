/** How fast bytes arrive, averaged over the last seconds. */

/** The rate covers this long, in milliseconds. */
const windowMs = 10_000;
/** Over less than this, in milliseconds, a rate says nothing. */
const minSpanMs = 1000;
/** An estimate of the end needs measurements over this long, in milliseconds. */
const minEstimateMs = 3000;

export interface TransferRate {
  /** Records how many bytes there are in total at a time. */
  record(bytes: number, atMs: number): void;
  /** Bytes per second until `atMs`; undefined during the first second. */
  bytesPerSecond(atMs: number): number | undefined;
  /** Milliseconds until `remaining` bytes have arrived; undefined during the first 3 s, or if nothing arrives. */
  etaMs(remaining: number, atMs: number): number | undefined;
}

export function createTransferRate(): TransferRate {
  const samples: { readonly bytes: number; readonly atMs: number }[] = [];
  let beganAtMs: number | undefined;

  function rate(atMs: number): number | undefined {
    // One sample from before the window stays, so that the rate covers all of it.
    while (samples.length > 2 && (samples[1]?.atMs ?? 0) <= atMs - windowMs) samples.shift();
    const [first] = samples;
    const last = samples.at(-1);
    if (first === undefined || last === undefined || atMs - first.atMs < minSpanMs) return undefined;
    return (Math.max(0, last.bytes - first.bytes) * 1000) / (atMs - first.atMs);
  }

  return {
    record(bytes, atMs) {
      beganAtMs ??= atMs;
      samples.push({ bytes, atMs });
      rate(atMs);
    },
    bytesPerSecond(atMs) {
      const found = rate(atMs);
      return found === undefined ? undefined : Math.round(found);
    },
    etaMs(remaining, atMs) {
      if (beganAtMs === undefined || atMs - beganAtMs < minEstimateMs || remaining <= 0) return undefined;
      const found = rate(atMs);
      return found === undefined || found < 1 ? undefined : Math.round((remaining * 1000) / found);
    },
  };
}
