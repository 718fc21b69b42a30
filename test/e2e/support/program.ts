/** Programs as a terminal starts them: by any user, in a process group of their own, to their end. */
import { type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "../../support/repository.ts";

export interface ProgramOptions extends Pick<SpawnOptions, "uid" | "gid" | "cwd"> {
  /** Beside or instead of this process's environment; `undefined` leaves a variable out. */
  readonly env?: { readonly [name: string]: string | undefined };
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly pid: number;
  /** Settles when it has ended, with all that it printed. */
  readonly ended: Promise<Ended>;
  stdout(): string;
  /** Settles when its standard output has a match. Rejects when it ends first. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal to its whole process group, as a terminal does for Ctrl-C. */
  killGroup(signal: NodeJS.Signals): void;
}

/** The command line of `crest ARGS`: this Node and the built program beside these tests, else in `dist`. */
export function crestCommand(...args: readonly string[]): readonly [string, ...string[]] {
  const beside = fileURLToPath(new URL("../../../src/main.js", import.meta.url));
  const main = existsSync(beside) ? beside : join(repositoryRoot(), "dist", "src", "main.js");
  return [process.execPath, main, ...args];
}

/** Starts a program in a process group of its own. */
export function start(argv: readonly [string, ...string[]], options: ProgramOptions = {}): Program {
  const [program, ...args] = argv;
  const { env, ...rest } = options;
  const child = spawn(program, args, {
    ...rest,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    // Not "exit": the last of the output comes before "close".
    child.once("close", (code, signal) => resolve({ code, signal, ...texts }));
  });
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    ended,
    stdout: () => texts.stdout,
    until(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(texts.stdout);
          if (match === null) return;
          listeners.delete(look);
          resolve(match);
        };
        listeners.add(look);
        look();
        ended.then(
          ({ stdout, stderr }) => reject(new Error(`${argv.join(" ")} ended: ${stdout}${stderr}`)),
          reject,
        );
      });
    },
    killGroup: (signal) => void process.kill(-(child.pid ?? 0), signal),
  };
}

/** Runs a program to its end. */
export function runToEnd(argv: readonly [string, ...string[]], options?: ProgramOptions): Promise<Ended> {
  return start(argv, options).ended;
}
