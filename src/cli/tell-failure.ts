/** Says on stderr what went wrong. */
import { CrestError } from "../client/index.ts";
import { StartError } from "../errors.ts";
import { printable } from "../printable.ts";
import { styled, type Terminal } from "./terminal.ts";

/** Whether the request was shown instead of sent: `--show-curl`. */
export function isShownInstead(error: unknown): boolean {
  const cause = error instanceof CrestError && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error && cause.name === "ShownInstead";
}

/** Tells a failure, and what to do about it. @throws what is a fault of Crest itself. */
export function tellFailure({ stderr }: Pick<Terminal, "stderr">, error: unknown): void {
  if (!(error instanceof StartError) && !(error instanceof CrestError)) throw error;
  stderr.write(`${styled(stderr, "red", "crest:")} ${printable(error.message)}\n`);
  if (error instanceof CrestError)
    for (const line of detailsOf(error)) stderr.write(`  ${printable(line)}\n`);
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
