/** Tells the user that a session has lost its connection, and that it goes on, without harm to what is on the screen. */
import type { Reconnection } from "../../client/index.ts";
import { note, type Terminal } from "../terminal.ts";

/** A shorter loss is not worth a word, in milliseconds. */
const patienceMs = 1000;

const screen = {
  save: "\u001b7",
  restore: "\u001b8",
  top: "\u001b[1;1H",
  reverse: "\u001b[7m",
  plain: "\u001b[0m",
  clearLine: "\u001b[2K",
} as const;

export interface ConnectionNote {
  lost(reconnection: Reconnection): void;
  /** Returns whether the loss was shown on the screen, which should be drawn again. */
  back(): boolean;
  /** The session has ended. */
  end(): void;
}

export interface ConnectionNoteOptions {
  /** Whether a command has the whole screen. The note is then in its first line, as long as it is true. */
  readonly onScreen: boolean;
  /** What the user can do, such as which keys leave the session. */
  readonly hint?: string | undefined;
}

export function createConnectionNote(
  { stdout, stderr }: Pick<Terminal, "stdout" | "stderr">,
  { onScreen, hint }: ConnectionNoteOptions,
): ConnectionNote {
  const output = stderr.isTTY === true ? stderr : stdout;
  const isScreen = onScreen && output.isTTY === true;
  let timer: NodeJS.Timeout | undefined;
  let isShown = false;

  function show(): void {
    isShown = true;
    const text = `Connection lost, trying again${hint === undefined ? "" : `; ${hint}`}`;
    if (!isScreen) {
      void note(stderr, text).catch(() => undefined);
      return;
    }
    const { columns = 80 } = output;
    const line = ` crest: ${text} `.slice(0, columns).padEnd(columns);
    output.write(screen.save + screen.top + screen.reverse + line + screen.plain + screen.restore);
  }
  function hide(): boolean {
    clearTimeout(timer);
    timer = undefined;
    if (!isShown) return false;
    isShown = false;
    if (isScreen) output.write(screen.save + screen.top + screen.clearLine + screen.restore);
    return true;
  }
  return {
    lost() {
      if (!isShown) timer ??= setTimeout(show, patienceMs);
    },
    back() {
      const wasShown = hide();
      if (wasShown && !isScreen) void note(stderr, "Connected again").catch(() => undefined);
      return wasShown && isScreen;
    },
    end: () => void hide(),
  };
}
