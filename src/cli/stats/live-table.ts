/** The table of `crest stats` on a terminal: drawn again with each reading, each key and each new size. */
import type { LiveUsages } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import { enterRawMode } from "../interactive/raw-mode.ts";
import { fit } from "../output/display-width.ts";
import { openScreen } from "../output/live-screen.ts";
import { tableLines } from "../output/table.ts";
import type { Input, Output } from "../terminal.ts";
import { styled } from "../terminal.ts";
import { columnsOf } from "./columns.ts";
import { type OrderName, orders, ordersOf, sorted } from "./order.ts";

/** Of the terminal, where it does not say. */
const usualSize = { columns: 80, rows: 24 };

export interface LiveTableOptions {
  readonly pods: boolean;
  readonly isWide: boolean;
  readonly isWhole: boolean;
  readonly order: OrderName;
}

export interface LiveTable {
  show(reading: LiveUsages): void;
  /** Shown until the next reading: that the connection is lost, for example. */
  tell(text: string): void;
  close(): void;
}

/**
 * Opens the table.
 *
 * @param quit Called once, with the exit code, when the person wants to leave: 0 for `q`, 130 for Ctrl-C.
 */
export function openLiveTable(
  { stdin, stdout, signal }: { readonly stdin: Input; readonly stdout: Output; readonly signal: AbortSignal },
  options: LiveTableOptions,
  quit: (exitCode: number) => void,
): LiveTable {
  let { order } = options;
  let reading: LiveUsages | undefined;
  let told = "";
  const screen = openScreen(stdout, signal);
  const draw = (): void => screen.draw(liveLines(reading, { ...options, order, told, stdout }));
  const leaveRawMode = enterRawMode(stdin, signal, {
    continued() {
      screen.reenter();
      draw();
    },
  });
  const onKeys = (keys: Buffer): void => {
    for (const key of keys.toString()) {
      if (key === "q") quit(0);
      if (key === "\u0003") quit(130);
      order = ordersOf(options.pods).find((name) => orders[name].key === key) ?? order;
    }
    draw();
  };
  if (stdin.isTTY === true) stdin.on("data", onKeys);
  stdout.on("resize", draw);
  return {
    show(next) {
      reading = next;
      told = "";
      draw();
    },
    tell(text) {
      told = text;
      draw();
    },
    close() {
      stdin.off("data", onKeys);
      stdin.pause();
      stdout.off("resize", draw);
      leaveRawMode();
      screen.close();
    },
  };
}

interface Frame extends LiveTableOptions {
  readonly told: string;
  readonly stdout: Output;
}

/** As many lines as the terminal has, or fewer. */
export function liveLines(
  reading: LiveUsages | undefined,
  { pods, isWide, isWhole, order, told, stdout }: Frame,
): readonly string[] {
  const { columns = usualSize.columns, rows = usualSize.rows } = stdout;
  const items = reading?.items ?? [];
  const what = `${items.length} ${pods ? "pod" : "container"}${items.length === 1 ? "" : "s"}`;
  const status = told || `${reading?.time.slice(11, 19)} UTC, ${what} by ${order}`;
  const keys = ordersOf(pods).map((name) => `${orders[name].key} ${name}`);
  const keyLine = rows < 8 ? [] : [styled(stdout, "dim", fit([...keys, "q quit"].join("  "), columns))];
  // Besides the status and the heading.
  const room = Math.max(1, rows - keyLine.length - 2);
  const shown = sorted(items, order).slice(0, items.length > room ? room - 1 : room);
  const all = columnsOf(items, { pods, isWhole }).filter(({ wide = false }) => !wide || isWide);
  const width = isWhole ? undefined : columns;
  const lines = tableLines(all, shown, { width, paint: (style, text) => styled(stdout, style, text) });
  const left = items.length - shown.length;
  return [
    fit(printable(status), columns),
    ...keyLine,
    ...lines,
    ...(left > 0 ? [fit(`${left} more are not shown: the terminal has ${rows} lines`, columns)] : []),
  ].slice(0, Math.max(rows, 1));
}
