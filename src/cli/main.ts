/** Runs a command of a person at a terminal. */
import { CrestError } from "../client/index.ts";
import { StartError } from "../errors.ts";
import { printable } from "../printable.ts";
import { type CommandName, declarationOf } from "./commands.ts";
import { ExitError } from "./exit-error.ts";
import { load } from "./load.ts";
import { parseArguments } from "./parse.ts";
import { Interrupted, styled, type Terminal } from "./terminal.ts";

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
        return connect(parsed.flags, terminal.stdout, options);
      },
    });
    const { aborted, reason } = terminal.signal;
    return aborted && reason instanceof Interrupted ? reason.exitCode : (code ?? 0);
  } catch (error) {
    return failed(error, terminal, declarationOf(name).failureExitCode);
  }
}

/** Says what went wrong. @throws what is a fault of Crest itself. */
function failed(error: unknown, { stderr, signal }: Terminal, exitCode = 1): number {
  if (signal.aborted && signal.reason instanceof Interrupted) return signal.reason.exitCode;
  const cause = error instanceof CrestError && error.cause !== undefined ? error.cause : error;
  if (cause instanceof Error && cause.name === "ShownInstead") return 0;
  if (!(error instanceof StartError) && !(error instanceof CrestError)) throw error;
  stderr.write(`${styled(stderr, "red", "crest:")} ${printable(error.message)}\n`);
  if (error instanceof CrestError)
    for (const line of detailsOf(error)) stderr.write(`  ${printable(line)}\n`);
  return error instanceof ExitError ? error.exitCode : exitCode;
}

/** What the message does not have: each mistake in its place, and what to do. */
function detailsOf(error: CrestError): readonly string[] {
  const mistakes = error.errors
    .filter(({ detail }) => detail !== undefined && !error.message.includes(detail))
    .map(({ pointer, parameter, detail }) => `${pointer ?? parameter ?? ""} ${detail}`.trim());
  if (error.code === "connection_failed")
    return ["Is the gateway running? crest up or crest serve starts one, --server names another"];
  return mistakes;
}
