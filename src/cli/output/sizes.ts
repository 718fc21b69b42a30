/** Sizes for people, with three digits as docker and crictl write them. */

const decimal = ["B", "kB", "MB", "GB", "TB", "PB", "EB"] as const;
const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** Of images and files, in units of 1000: `4.86MB`. */
export const diskSize = (bytes: number): string => inUnits(bytes, 1000, decimal);

/** Of memory, in units of 1024: `12.5MiB`. */
export const memorySize = (bytes: number): string => inUnits(bytes, 1024, binary);

function inUnits(bytes: number, step: number, units: readonly string[]): string {
  let amount = bytes;
  let at = 0;
  // 999.6 would be written with four digits.
  while (amount >= step - 0.5 && at < units.length - 1) {
    amount /= step;
    at++;
  }
  const digits = at === 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
  return `${Number(amount.toFixed(digits))}${units[at]}`;
}
