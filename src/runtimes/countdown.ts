/** Shares one deadline and one cancellation among several calls. */

import type { CallOptions } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import type { Rpc } from "../gen/methods.ts";

/** Returns the options for the next call. `deadlineMs` is the rest of the deadline of `rpc`, in milliseconds. */
export type Countdown = () => CallOptions & { readonly deadlineMs: number };

/** Upper bound on the number of concurrent calls. */
const maxCalls = 64;

/** Starts a countdown for calls that precede a call of `rpc` or replace it. */
export function countdown(rpc: Rpc, options: CallOptions = {}): Countdown {
  const { deadlineMs = rpcRules[rpc].deadlineMs, atOnce = false, onCancel } = options;
  const end = performance.now() + deadlineMs;
  const cancels: (() => void)[] = [];
  let cancelled = false;
  onCancel?.(() => {
    cancelled = true;
    for (const cancel of cancels) cancel();
  });
  const add = (cancel: () => void): void => {
    if (cancelled) cancel();
    cancels.push(cancel);
    // Finished calls are not tracked, but the newest entries are the calls in progress.
    if (cancels.length > maxCalls) cancels.shift();
  };
  return () => ({ deadlineMs: end - performance.now(), atOnce, onCancel: add });
}
