/** Runs the machine's own tools: containerd's `ctr`, `ip`, `iptables-save`, `umount`, `apt-get`. */

import { type SpawnOptions, spawn } from "node:child_process";

export interface CommandOptions {
  /** Bytes for the command's standard input. Default: none. */
  readonly input?: Uint8Array;
  /** Default: 60,000, since none of these tools waits for a person. 0 disables the timeout. */
  readonly timeoutMs?: number;
  /** Keeps the command in the terminal's process group, so that Ctrl-C ends it too. Default: false. */
  readonly interruptible?: boolean;
}

/** A failed command, with its standard error. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly stderr: string;
  /** The signal that ended it, if any. */
  readonly signal: NodeJS.Signals | undefined;

  constructor(
    argv: readonly string[],
    outcome: string,
    { stderr = "", signal }: { readonly stderr?: string; readonly signal?: NodeJS.Signals | null } = {},
  ) {
    super(`Cannot run "${argv.join(" ")}": ${outcome}${stderr === "" ? "" : `: ${stderr}`}`);
    this.stderr = stderr;
    this.signal = signal ?? undefined;
  }
}

/**
 * Returns a program and arguments that run `argv` with the system folders on PATH.
 *
 * On Debian, `su` keeps the user's PATH, which lacks /usr/sbin: neither we nor the CNI plugins that containerd starts
 * would find `ip` and `iptables`. The folders go last, so that a newer containerd earlier on PATH still wins. The shell
 * execs the program, so the pid is the program's.
 */
export function withSystemPath(argv: readonly string[]): [program: string, args: string[]] {
  const script = 'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export PATH; exec "$@"';
  return ["/bin/sh", ["-c", script, "sh", ...argv]];
}

/**
 * Runs `argv` to completion and returns its standard output.
 *
 * @throws {CommandError} if it cannot be started, exits with a status other than 0, or takes longer than `timeoutMs`.
 */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program, args] = withSystemPath(argv);
  const settings: SpawnOptions = {
    stdio: "pipe",
    timeout: options.timeoutMs ?? 60_000,
    killSignal: "SIGKILL",
    detached: options.interruptible !== true,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, settings);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
    // Judge a command that exits before reading all its input by its status, not by EPIPE.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input);
    child.on("error", (error) => reject(new CommandError(argv, error.message)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(stdout).toString());
      const said = { stderr: Buffer.concat(stderr).toString().trim(), signal };
      reject(new CommandError(argv, outcomeOf(code, signal), said));
    });
  });
}

function outcomeOf(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `status ${code}` : `ended by ${signal}`;
}
