import type { Spread } from "./statistics.ts";

/** Lines of columns, two spaces apart: the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const text = row[column] ?? "";
        return column === 0 ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return all.map((row) => `  ${line(row)}\n`).join("");
}

/** A number in three digits that count: `0.0123`, `1.23`, `123`, `12345`. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const decimals = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 4));
}

/** The middle, and in brackets where half of the rounds lay: `4.12 (3.90-4.40)`. */
export function range({ median, low, high }: Spread): string {
  return `${number(median)} (${number(low)}-${number(high)})`;
}

export function mebibytes(bytes: number): string {
  return number(bytes / 1024 / 1024);
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
