/** One deadline, and one way to cancel, for several calls. */

import type { CallOptions } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import type { Rpc } from "../gen/methods.ts";

/** The options for the next call, whose deadline is what is left of that of `rpc`, in milliseconds. */
export type Countdown = () => CallOptions & { readonly deadlineMs: number };

/** More calls than these are never under way at the same time. */
const maxCalls = 64;

/** For calls that come before a call of `rpc`, or that are made in its stead. */
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
    // Calls that have ended are not told apart: the newest are those under way.
    if (cancels.length > maxCalls) cancels.shift();
  };
  return () => ({ deadlineMs: end - performance.now(), atOnce, onCancel: add });
}
