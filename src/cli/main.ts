/** Runs a command of a person at a terminal. */
import { type CommandName, declarationOf } from "./commands.ts";
import { load } from "./load.ts";
import { parseArguments } from "./parse.ts";
import { Interrupted, type Terminal } from "./terminal.ts";

/**
 * Returns the exit code: 0, that of the command, 1 (or 125) for a failure, 130 after Ctrl-C. Failures are told on stderr.
 *
 * @param argv What follows the command.
 */
export async function runCommand<N extends CommandName>(
  name: N,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  try {
    const parsed = parseArguments(name, argv);
    if (parsed.flags.help) {
      const { commandHelp } = await import("./help.ts");
      terminal.stdout.write(commandHelp(name, terminal.stdout.columns));
      return 0;
    }
    const { run } = await load(name);
    const code = await run({
      name,
      ...parsed,
      ...terminal,
      connect: async (options) => {
        const { connect } = await import("./server/connect.ts");
        return connect(parsed.flags, terminal, options);
      },
    });
    const { aborted, reason } = terminal.signal;
    return aborted && reason instanceof Interrupted ? reason.exitCode : (code ?? 0);
  } catch (error) {
    return await failed(error, terminal, declarationOf(name).failureExitCode);
  }
}

/** @throws what is a fault of Crest itself. */
async function failed(error: unknown, terminal: Terminal, exitCode = 1): Promise<number> {
  const { signal } = terminal;
  const reason = signal.aborted ? signal.reason : error;
  if (reason instanceof Interrupted) return reason.exitCode;
  const { isShownInstead, tellFailure } = await import("./tell-failure.ts");
  if (isShownInstead(error)) return 0;
  tellFailure(terminal, error);
  const { ExitError } = await import("./exit-error.ts");
  return error instanceof ExitError ? error.exitCode : exitCode;
}
