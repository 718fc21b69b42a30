/** Commands that do the same to several things: `crest rm a b c`. */
import { CrestError } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { isShownInstead, tellFailure } from "../tell-failure.ts";
import { type Terminal, write } from "../terminal.ts";

/** How many requests are under way at a time. */
const mostAtOnce = 8;
/** What fails for one fails for all. */
const ofAll: ReadonlySet<string> = new Set(["connection_failed", "unauthenticated"]);

/**
 * Does `work` for each name once, several at a time. Prints the lines that it returns, and tells each failure, in the order
 * of the names, after `beforePrinting`. Returns the exit code: 1 if any failed.
 */
export async function forEach(
  terminal: Pick<Terminal, "stdout" | "stderr" | "signal">,
  names: readonly string[],
  work: (name: string) => Promise<readonly string[]>,
  beforePrinting: () => void = () => undefined,
): Promise<number> {
  const { stdout, signal } = terminal;
  const unique = [...new Set(names)];
  const running: Promise<readonly string[]>[] = [];
  let code = 0;
  for (const [index] of unique.entries()) {
    for (const name of unique.slice(running.length, index + mostAtOnce)) {
      const done = (async () => work(checkName(name)))();
      // Its failure is told in its turn.
      done.catch(() => undefined);
      running.push(done);
    }
    try {
      const lines = (await running[index]) ?? [];
      beforePrinting();
      for (const line of lines) await write(stdout, `${printable(line)}\n`);
    } catch (error) {
      if (isShownInstead(error)) continue;
      if (signal.aborted || (error instanceof CrestError && ofAll.has(error.code))) throw error;
      beforePrinting();
      tellFailure(terminal, error);
      code = 1;
    }
  }
  return code;
}

/** @throws {StartError} for what cannot be part of a URL's path. */
export function checkName(name: string): string {
  if (name === "" || name === "." || name === "..")
    throw new StartError(`"${name}": expected an id or a name`);
  return name;
}
