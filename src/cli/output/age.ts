/** Times for people. */

const units = [
  { name: "y", seconds: 365 * 86_400 },
  { name: "d", seconds: 86_400 },
  { name: "h", seconds: 3600 },
  { name: "m", seconds: 60 },
  { name: "s", seconds: 1 },
] as const;

/** How long ago, in its largest unit: `5m`, `3d`. `-` for a time that is not known. */
export function age(timeMs: number, nowMs = Date.now()): string {
  if (!(timeMs > 0)) return "-";
  const seconds = Math.max(0, Math.floor((nowMs - timeMs) / 1000));
  const { name, seconds: unit } = units.find(({ seconds: one }) => seconds >= one) ?? units[4];
  return `${Math.floor(seconds / unit)}${name}`;
}

/** How long something took: `230ms`, `3.1s`, `5m 2s`, `2h 5m`, `3d 4h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))}s`;
  const seconds = Math.round(ms / 1000);
  const at = units.findIndex(({ seconds: one }) => seconds >= one);
  const [large = units[0], small = units[4]] = units.slice(at, at + 2);
  const rest = Math.floor((seconds % large.seconds) / small.seconds);
  return `${Math.floor(seconds / large.seconds)}${large.name}${rest === 0 ? "" : ` ${rest}${small.name}`}`;
}

/** A time of CRI, in nanoseconds since the Unix epoch, as RFC 3339 in UTC with seconds; undefined if it is not known. */
export function timeOf(nanoseconds: string | undefined): string | undefined {
  const ms = Math.floor(Number(nanoseconds ?? 0) / 1e6);
  if (!(ms > 0 && ms <= 8.64e15)) return undefined;
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
