/**
 * A command that its runtime does not answer at its timeout. containerd answers when the last process that holds the
 * command's output has gone: `sleep 30 & echo started` ends at once and is answered after 30 s, whatever its timeout.
 */

import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";

/** `error`, or `exec_timeout` when it is our own deadline of a command with a timeout: see `rpc-rules.ts`. */
export function asExecTimeout(
  rpc: Rpc,
  { timeout = 0 }: { readonly timeout?: string | number },
  error: GatewayError,
): GatewayError {
  const isDeadline = rpcRules[rpc].runsCommand === true && error.grpcCode === "DEADLINE_EXCEEDED";
  if (!isDeadline || error.code !== "outcome_unknown" || Number(timeout) <= 0) return error;
  return new GatewayError(
    "exec_timeout",
    `ExecSync failed: no answer within the timeout of ${timeout} s: the command runs, or a process that it left in the background holds its output. The output so far is lost`,
    { cause: error },
  );
}
