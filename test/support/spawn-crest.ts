import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { repositoryRoot } from "./repository.ts";

export interface SpawnCrestOptions {
  /** Matches the line on stdout that says that it serves. `ready` resolves with its first group, or the whole match. */
  readonly ready: RegExp;
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly env?: { readonly [name: string]: string | undefined };
  readonly cwd?: string;
  /** Timeout of `ready`. Default: 15,000. */
  readonly readyTimeoutMs?: number;
  /** Leaves stderr unread until `readStderr`. Default: false. */
  readonly holdStderr?: boolean;
  /** The process's limit of open files. Default: the limit of this process. */
  readonly maxOpenFiles?: number;
}

export interface CrestProcess {
  /**
   * Resolves with the content of the ready line, usually the URL.
   *
   * Rejects if the process exits first or on timeout, with its output in the message.
   */
  readonly ready: Promise<string>;
  /** Settles when the process exits. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly pid: number | undefined;
  /** Both streams so far, interleaved as they arrived. */
  output(): string;
  stdout(): string;
  stderr(): string;
  /** Begins to read a stderr that `holdStderr` left unread. */
  readStderr(): void;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, then SIGKILL after 10 s. Settles when the process has exited. */
  stop(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** The built command-line program: next to these tests if they are compiled, else in `dist`. */
export function mainFile(): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src", "main.js");
  return existsSync(beside) ? beside : join(repositoryRoot(), "dist", "src", "main.js");
}

/** Starts the built `crest` with this Node. */
export function spawnCrest(args: readonly string[], options: SpawnCrestOptions): CrestProcess {
  const environment: NodeJS.ProcessEnv = { ...process.env, ...options.env };
  const limit = options.maxOpenFiles === undefined ? "" : `ulimit -n ${options.maxOpenFiles}; `;
  const child = spawn("/bin/sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, mainFile(), ...args], {
    cwd: options.cwd,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  const readStderr = (): void => {
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      output += text;
    });
  };
  if (!options.holdStderr) readStderr();
  const exit = exitOf(child);
  const ready = new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`Cannot start crest: ${why}\n${output}`));
    const timer = setTimeout(() => fail("no ready line"), options.readyTimeoutMs ?? 15_000);
    child.stdout.on("data", () => {
      const match = options.ready.exec(stdout);
      if (match === null) return;
      clearTimeout(timer);
      resolve(match[1] ?? match[0]);
    });
    void exit.then(({ code, signal }) => {
      clearTimeout(timer);
      fail(`it ended with ${signal ?? code}`);
    });
  });
  // Callers that only stop it, or check its exit, may ignore the ready line.
  ready.catch(() => undefined);

  return {
    ...{ ready, exit, readStderr },
    pid: child.pid,
    output: () => output,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const ended = await exit;
      clearTimeout(timer);
      return ended;
    },
  };
}

function exitOf(child: ChildProcess): CrestProcess["exit"] {
  return new Promise((resolve) => {
    child.once("error", () => resolve({ code: null, signal: null }));
    // Not "exit": output may still arrive until "close".
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}
