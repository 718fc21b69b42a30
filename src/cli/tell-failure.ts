/** Says on stderr what went wrong. */
import { CrestError } from "../client/index.ts";
import { StartError } from "../errors.ts";
import { printable } from "../printable.ts";
import { Unreachable } from "./server/unreachable.ts";
import { styled, type Terminal } from "./terminal.ts";

/** What the client wrapped, or the error itself. */
const causeOf = (error: unknown): unknown =>
  error instanceof CrestError && error.cause !== undefined ? error.cause : error;

/** Whether the request was shown instead of sent: `--show-curl`. */
export function isShownInstead(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof Error && cause.name === "ShownInstead";
}

/** Tells a failure, and what to do about it. @throws what is a fault of Crest itself. */
export function tellFailure({ stderr }: Pick<Terminal, "stderr">, error: unknown): void {
  const [message, details] = explain(error);
  stderr.write(`${styled(stderr, "red", "crest:")} ${printable(message)}\n`);
  for (const line of details) stderr.write(`  ${printable(line)}\n`);
}

/** The message, and lines below it. @throws the error if it is a fault of Crest itself. */
function explain(error: unknown): readonly [message: string, details: readonly string[]] {
  const cause = causeOf(error);
  if (cause instanceof Unreachable)
    return [`Cannot reach ${cause.address}: ${cause.message}`, cause.hint === undefined ? [] : [cause.hint]];
  if (cause instanceof StartError) return [cause.message, []];
  if (error instanceof CrestError) return [error.message, detailsOf(error)];
  throw error;
}

/** What the message does not have: each mistake in its place. */
function detailsOf(error: CrestError): readonly string[] {
  if (error.code === "invalid_answer")
    return ["Is it a gateway of Crest? --server names another, crest server list shows those with names"];
  return error.errors
    .filter(({ detail }) => detail !== undefined && !error.message.includes(detail))
    .map(({ pointer, parameter, detail }) => `${pointer ?? parameter ?? ""} ${detail}`.trim());
}
