/** Why a command did not start, as docker's exit codes tell it. */
import { CrestError } from "../../client/index.ts";
import { ExitError } from "../exit-error.ts";

/** The words of runc and crun. */
const reasons = [
  {
    exitCode: 127,
    words: /executable file not found|executable file `[^`]*` not found|no such file or directory/i,
    text: "not found",
  },
  {
    exitCode: 126,
    words: /permission denied|exec format error|is a directory/i,
    text: "not an executable file",
  },
] as const;
const codes: ReadonlySet<string> = new Set(["command_not_found", "session_failed"]);

/** Turns the failure of a program that cannot run into an error that says so. Other errors stay as they are. */
export function explainStart(error: unknown, program: string): unknown {
  if (!(error instanceof CrestError) || !codes.has(error.code)) return error;
  const reason = reasons.find(({ words }) => words.test(error.message));
  if (reason === undefined) return error;
  const { exitCode, text } = reason;
  return new ExitError(`Cannot run "${program}" in the container: ${text}`, exitCode, { cause: error });
}
