/** Lines at the bottom of a terminal that are drawn again in place. */
import type { Output } from "../terminal.ts";
import { displayWidth, fit } from "./display-width.ts";

const defaultColumns = 80;
const defaultRows = 24;

export interface LiveRegion {
  /** Columns that a line may have. A wider one is cut. */
  readonly columns: number;
  /** Lines that fit. Further ones are left out. */
  readonly rows: number;
  /** Replaces what is shown. Lines have no line breaks and no control characters. */
  draw(lines: readonly string[]): void;
  /** Takes the lines away, so that something else can be written; `draw` shows some again. */
  clear(): void;
}

export function liveRegion(output: Output): LiveRegion {
  let shown: readonly string[] = [];
  const region = {
    // The last column stays free: a terminal may wrap after it. So does the last line, for the cursor.
    get columns() {
      return Math.max(1, (output.columns || defaultColumns) - 1);
    },
    get rows() {
      return Math.max(1, (output.rows || defaultRows) - 1);
    },
    draw(lines: readonly string[]) {
      const { columns, rows } = region;
      const next = lines.slice(0, rows).map((line) => fit(line, columns));
      const text = next.map((line) => `${line}\x1b[K\n`).join("");
      output.write(`${toStart()}${text}\x1b[J`);
      shown = next;
    },
    clear() {
      if (shown.length === 0) return;
      output.write(`${toStart()}\x1b[J`);
      shown = [];
    },
  };

  /** To the beginning of the first line. In a terminal that became narrower, lines have been wrapped. */
  function toStart(): string {
    const width = output.columns || defaultColumns;
    const height = shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / width)), 0);
    return height === 0 ? "\r" : `\r\x1b[${height}A`;
  }

  return region;
}
