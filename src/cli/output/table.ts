/** Tables of text: a heading and rows, in columns as wide as they must be. */
import { printable } from "../../printable.ts";

export interface Column<Row> {
  readonly title: string;
  /** Written as it is, so without styles; characters that are not printable are escaped. */
  readonly value: (row: Row) => string;
  /** Numbers are aligned at their ends. */
  readonly align?: "right";
}

/** Two spaces between columns, none at the end of a line. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ value }) => printable(value(row))));
  const widths = columns.map(({ title }, at) =>
    cells.reduce((width, row) => Math.max(width, row[at]?.length ?? 0), title.length),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.align === "right" ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [columns.map(({ title }) => title), ...cells].map((texts) => `${line(texts)}\n`).join("");
}
