/** `crest wait` */
import { type Client, CrestError, type WaitContainerAnswer } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { Run } from "../context.ts";
import { printJsonLines } from "../output/listing.ts";
import { readSeconds } from "../read-seconds.ts";
import { tellFailure } from "../tell-failure.ts";
import { write } from "../terminal.ts";
import { checkName } from "./each.ts";

/** The longest wait of one request, in seconds. */
const maxWaitSeconds = 3600;

export const run: Run<"wait"> = async ({ flags, operands, stdout, stderr, signal, connect }) => {
  const seconds = flags.timeout === undefined ? undefined : readSeconds("--timeout", flags.timeout);
  const { crest } = await connect();
  // All at once, so that none that is removed early is missed. They are told in their order.
  const ends = operands.map((containerId) => endOf(crest, containerId, seconds, signal));
  for (const end of ends) end.catch(() => undefined);
  let code = 0;
  for (const end of ends) {
    try {
      const answer = await end;
      if (flags.output === "json") await printJsonLines([answer], stdout);
      else await write(stdout, `${answer.exitCode}\n`);
    } catch (error) {
      const isOfOne =
        error instanceof StartError || (error instanceof CrestError && error.status !== undefined);
      if (!isOfOne || signal.aborted || operands.length === 1) throw error;
      tellFailure({ stderr }, error);
      code = 1;
    }
  }
  return code;
};

/** @throws {StartError} if it has not exited in time. */
async function endOf(
  crest: Client,
  containerId: string,
  seconds: number | undefined,
  signal: AbortSignal,
): Promise<WaitContainerAnswer> {
  checkName(containerId);
  for (let left = seconds; ; left = left === undefined ? undefined : left - maxWaitSeconds) {
    const timeout = Math.min(left ?? maxWaitSeconds, maxWaitSeconds);
    const answer = await crest.waitContainer({ containerId, timeout }, { signal }).answer();
    if (answer.exited) return answer;
    if (left !== undefined && left <= maxWaitSeconds)
      throw new StartError(`${containerId} is still running after ${seconds} s`);
  }
}
