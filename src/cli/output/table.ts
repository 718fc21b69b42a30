/** Tables of text: a heading and rows, in columns as wide as they must be. */
import { printable } from "../../printable.ts";
import type { Style } from "../terminal.ts";
import { displayWidth, fit } from "./display-width.ts";

export interface Column<Row> {
  readonly title: string;
  /** Without styles; characters that are not printable are escaped. */
  readonly value: (row: Row) => string;
  /** Numbers are aligned at their ends. */
  readonly align?: "right";
  /** Only in `-o wide`. */
  readonly wide?: true;
  /** Columns of the terminal to which it shrinks, if the table is too wide otherwise. Default: it does not shrink. */
  readonly shrinksTo?: number;
  /** So that a table that is drawn again and again does not jump. Default: 0. */
  readonly minWidth?: number;
  readonly style?: (row: Row) => Style | undefined;
}

export interface TableOptions {
  /** Columns of the terminal to fit into. Default: any number. */
  readonly width?: number | undefined;
  /** Adds a style to a text. Default: none is added. */
  readonly paint?: ((style: Style, text: string) => string) | undefined;
}

/** Texts of the runtime may be of any length. One of them must not widen every row. */
const maxPadding = 120;
const gap = "  ";

/** Two spaces between columns, none at the end of a line. Each line ends with a newline. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions = {},
): string {
  return tableLines(columns, rows, options)
    .map((line) => `${line}\n`)
    .join("");
}

/** The heading, then a line for each row. */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, paint = (_style, text) => text }: TableOptions = {},
): string[] {
  const cells = rows.map((row) => columns.map(({ value }) => printable(value(row))));
  const widths = fitted(
    columns,
    columns.map(({ title, minWidth = 0 }, at) =>
      cells.reduce(
        (most, row) => Math.max(most, displayWidth(row[at] ?? "")),
        Math.max(title.length, minWidth),
      ),
    ),
    width,
  );
  const last = columns.length - 1;
  const line = (texts: readonly string[], styleOf: (column: Column<Row>) => Style | undefined): string => {
    const parts = columns.map((column, at) => {
      const limit = widths[at] ?? 0;
      const text =
        width === undefined || column.shrinksTo === undefined ? texts[at] : fit(texts[at] ?? "", limit);
      const style = text === "" ? undefined : styleOf(column);
      const space = " ".repeat(Math.max(0, Math.min(limit, maxPadding) - displayWidth(text ?? "")));
      const painted = style === undefined ? text : paint(style, text ?? "");
      if (column.align === "right") return `${space}${painted}`;
      return at === last ? `${painted}` : `${painted}${space}`;
    });
    return parts.join(gap).trimEnd();
  };
  return [
    line(
      columns.map(({ title }) => title),
      () => "bold",
    ),
    ...rows.map((row, index) => line(cells[index] ?? [], ({ style }) => style?.(row))),
  ];
}

/** The widths of the columns, those that shrink not wider than needed to fit into `width`. */
function fitted<Row>(
  columns: readonly Column<Row>[],
  widths: readonly number[],
  width: number | undefined,
): readonly number[] {
  const sum = (all: readonly number[]): number =>
    all.reduce((total, one) => total + one, gap.length * (all.length - 1));
  if (width === undefined || sum(widths) <= width) return widths;
  const limitedTo = (limit: number): readonly number[] =>
    widths.map((one, at) => {
      const { shrinksTo = one, title = "" } = columns[at] ?? {};
      return Math.min(one, Math.max(limit, shrinksTo, title.length));
    });
  // The largest limit for the columns with which all fit.
  let fits = 0;
  let tooWide = Math.max(...widths);
  while (tooWide - fits > 1) {
    const middle = Math.floor((fits + tooWide) / 2);
    if (sum(limitedTo(middle)) <= width) fits = middle;
    else tooWide = middle;
  }
  return limitedTo(fits);
}
