/**
 * Handles runtimes that do not reply when a command times out. containerd replies only after the last process that
 * holds the command's output has exited: `sleep 30 & echo started` exits at once, but the reply takes 30 s, whatever
 * the timeout.
 */

import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";

/** Returns `exec_timeout` for our own deadline of a command with a timeout, else `error`: see `rpc-rules.ts`. */
export function asExecTimeout(
  rpc: Rpc,
  { timeout = 0 }: { readonly timeout?: string | number },
  error: GatewayError,
): GatewayError {
  const isDeadline = rpcRules[rpc].runsCommand === true && error.grpcCode === "DEADLINE_EXCEEDED";
  if (!isDeadline || error.code !== "outcome_unknown" || Number(timeout) <= 0) return error;
  return new GatewayError(
    "exec_timeout",
    `ExecSync failed: no answer within the timeout of ${timeout} s: the command is still running, or a process that it left in the background holds its output. The output so far is lost`,
    { cause: error },
  );
}
