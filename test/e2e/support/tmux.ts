/** A pseudo-terminal that tests type into and read the screen of: a tmux server of their own. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";

export interface TmuxOptions {
  /** A folder of the test, for tmux's socket. */
  readonly folder: string;
  /** Beside or instead of this process's environment. */
  readonly env?: { readonly [name: string]: string };
  /** Default: 80. */
  readonly columns?: number;
  /** Default: 24. */
  readonly rows?: number;
}

export interface Tmux {
  /** Types text, without a key at its end. */
  type(text: string): void;
  /** Presses keys by tmux's names: `Enter`, `C-c`, `Escape`. */
  press(...keys: readonly string[]): void;
  /** Types a command line and presses Enter. */
  run(line: string): void;
  /** The screen, without spaces at the ends of lines and without empty lines at its end. */
  screen(): string;
  /** Waits until the screen has a match. */
  until(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  resize(columns: number, rows: number): void;
  /** Begins again with an empty screen and a new shell. */
  restart(): Promise<void>;
  close(): void;
}

/** Starts a shell in a terminal. Its prompt is `$ `. */
export function startTmux({ folder, env = {}, columns = 80, rows = 24 }: TmuxOptions): Tmux {
  const socket = join(folder, "tmux.sock");
  const tmux = (...args: readonly string[]): string =>
    execFileSync("tmux", ["-S", socket, ...args], {
      encoding: "utf8",
      env: { ...process.env, ...env, TMUX: "", LC_ALL: "C.UTF-8" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  const size = ["-x", String(columns), "-y", String(rows)];
  const bash = ["env", "PS1=$ ", "bash", "--norc", "--noprofile"];
  tmux("-f", "/dev/null", "new-session", "-d", ...size, ...bash);
  tmux("set-option", "-g", "window-size", "manual");
  const screen = (): string =>
    tmux("capture-pane", "-p")
      .replace(/[ \t]+$/gm, "")
      .trimEnd();
  const type = (text: string): void => void tmux("send-keys", "-l", text);
  const press = (...keys: readonly string[]): void => void tmux("send-keys", ...keys);
  async function until(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    try {
      return await eventually(() => pattern.exec(screen()), { timeoutMs, intervalMs: 50 });
    } catch (error) {
      throw new Error(`The screen has no ${pattern}:\n${screen()}`, { cause: error });
    }
  }
  return {
    type,
    press,
    screen,
    until,
    run(line) {
      type(line);
      press("Enter");
    },
    async restart() {
      tmux("respawn-pane", "-k", ...bash);
      tmux("clear-history");
      await until(/^\$$/);
    },
    resize: (width, height) => void tmux("resize-window", "-x", String(width), "-y", String(height)),
    close: () => void tmux("kill-server"),
  };
}
