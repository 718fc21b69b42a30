const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes for people: `512 B`, `64.0 MiB`. */
export function byteSize(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log2(bytes || 1) / 10), 0), units.length - 1);
  return `${(bytes / 2 ** (10 * power)).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
