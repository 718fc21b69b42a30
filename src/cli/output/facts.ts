/** Names and values, a line each. */
import { printable } from "../../printable.ts";

/** Facts without a value are left out. */
export type Fact = readonly [name: string, value: string | undefined];

/** The values begin in one column. Each line ends with a newline. */
export function facts(all: readonly Fact[], indent = ""): string {
  const known = all.filter(([, value]) => value !== undefined && value !== "");
  const width = Math.max(0, ...known.map(([name]) => name.length));
  return known
    .map(([name, value = ""]) => `${indent}${printable(name).padEnd(width)}  ${printable(value)}\n`)
    .join("");
}

/** A heading, and lines below it; empty without lines. */
export function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\n${title}\n${lines.map((line) => `  ${printable(line)}\n`).join("")}`;
}
