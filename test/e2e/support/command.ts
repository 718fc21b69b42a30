import { type ProgramOptions, start } from "./program.ts";

export type Argv = readonly [string, ...string[]];

/** Longer than any download or compiler takes. */
const timeoutMs = 10 * 60_000;

/**
 * Runs a program to its end.
 *
 * @returns Its standard output.
 * @throws {Error} with all that it printed when it ends with another status than 0.
 */
export async function command(argv: Argv, options: ProgramOptions = {}): Promise<string> {
  const program = start(argv, options);
  const timer = setTimeout(() => program.killGroup("SIGKILL"), timeoutMs);
  try {
    const { code, signal, stdout, stderr } = await program.ended;
    if (code === 0) return stdout;
    throw new Error(`"${argv.join(" ")}" ended with ${signal ?? code}:\n${stdout}${stderr}`);
  } finally {
    clearTimeout(timer);
  }
}
