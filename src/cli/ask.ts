/** Asks the person at the terminal. */
import { createInterface } from "node:readline";
import { StartError } from "../errors.ts";
import { styled, type Terminal, write } from "./terminal.ts";

/**
 * Whether the answer is yes. Anything else, and the end of the input, is no.
 *
 * @param instead What to write where nobody can be asked. @throws {StartError} with it, if there is no terminal.
 */
export async function confirm(
  { stdin, stderr, signal }: Omit<Terminal, "stdout">,
  question: string,
  instead: string,
): Promise<boolean> {
  if (stdin.isTTY !== true) throw new StartError(`Cannot ask without a terminal: ${instead}`);
  await write(stderr, `${styled(stderr, "bold", question)} [y/N] `);
  signal.throwIfAborted();
  // Without `terminal`, Ctrl-C stays a signal.
  const lines = createInterface({ input: stdin, terminal: false });
  const end = (): void => lines.close();
  signal.addEventListener("abort", end, { once: true });
  try {
    const answer = await new Promise<string>((resolve) => {
      lines.once("line", resolve);
      lines.once("close", () => resolve(""));
    });
    signal.throwIfAborted();
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    signal.removeEventListener("abort", end);
    lines.close();
    stdin.pause();
  }
}
