/**
 * A screen that is drawn again and again, like that of `top`: the terminal's alternate screen, without a cursor.
 *
 * Invariant: the terminal is as before on every way out: when the command ends or fails, by a signal, and when the process
 * exits for any other reason.
 */
import type { EventEmitter } from "node:events";
import type { Output } from "../terminal.ts";

/** Alternate screen, no cursor, no wrapping of long lines. */
const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";

export interface LiveScreen {
  /** Draws these lines from the top. Skipped while the terminal has not taken what was drawn before. */
  draw(lines: readonly string[]): void;
  /** Draws again after the process was stopped and continued. */
  reenter(): void;
  close(): void;
}

/** Opens the screen until it is closed, or the signal aborts. */
export function openScreen(
  stdout: Output,
  signal: AbortSignal,
  events: Pick<EventEmitter, "on" | "off"> = process,
): LiveScreen {
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    events.off("exit", close);
    signal.removeEventListener("abort", close);
    stdout.write(leave);
  };
  events.on("exit", close);
  signal.addEventListener("abort", close, { once: true });
  stdout.write(enter);
  return {
    draw(lines) {
      if (!isOpen || stdout.writableNeedDrain) return;
      stdout.write(`${home}${lines.map((line) => `${line}${clearLine}`).join("\r\n")}${clearBelow}`);
    },
    reenter: () => void (isOpen && stdout.write(enter)),
    close,
  };
}
