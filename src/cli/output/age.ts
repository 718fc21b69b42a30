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
