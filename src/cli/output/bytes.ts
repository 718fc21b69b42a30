/** Sizes for people. */

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** In decimal units, with three digits: `2.21 MB`, `14.3 MB`, `980 kB`. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let at = 0;
  for (; value >= 999.5 && at < units.length - 1; at++) value /= 1000;
  const digits = at === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[at]}`;
}

/** `4.2 s`, `1 m 20 s`, `2 h 5 m`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}
