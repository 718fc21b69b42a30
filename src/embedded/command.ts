/** Runs the machine's own tools: containerd's `ctr`, `ip`, `iptables-save`, `umount`, `apt-get`. */

import { type SpawnOptions, spawn } from "node:child_process";

export interface CommandOptions {
  /** Bytes for the command's standard input; nothing by default. */
  readonly input?: Uint8Array;
  /** Default 60,000: none of these tools waits for a person. 0 is without end. */
  readonly timeoutMs?: number;
  /** Shares the terminal's process group, so that Ctrl-C ends the command too. Default false. */
  readonly interruptible?: boolean;
}

/** A command that failed, with what it said on standard error. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly stderr: string;
  /** What ended it, where it did not end by itself. */
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
 * A program and its arguments behind a PATH that has the system folders.
 *
 * `su` on Debian keeps the PATH of the user, without /usr/sbin: `ip` and `iptables` would not be
 * found, neither here nor by the CNI plugins that containerd starts. The folders come last, so that
 * a newer containerd which is first on PATH stays first. The shell replaces itself: the pid is the
 * program's.
 */
export function withSystemPath(argv: readonly string[]): [program: string, args: string[]] {
  const script = 'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export PATH; exec "$@"';
  return ["/bin/sh", ["-c", script, "sh", ...argv]];
}

/**
 * Runs `argv` to its end and answers its standard output.
 *
 * @throws {CommandError} when it cannot be started, exits with another status than 0 or takes
 *   longer than `timeoutMs`.
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
    // A command that ends before it has read everything is judged by its status, not by EPIPE.
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
