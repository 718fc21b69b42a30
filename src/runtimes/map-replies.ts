/** Changes a runtime's replies, in one place for calls and streams. */

import type { Runtime } from "../cri/channel.ts";
import type { Rpc } from "../gen/methods.ts";

/** Passes every reply and stream message through `change`, which owns the bytes that it gets and may return them. */
export function mapReplies(runtime: Runtime, change: (rpc: Rpc, reply: Buffer) => Buffer): Runtime {
  return {
    ...runtime,
    async call(rpc, request, options) {
      return change(rpc, await runtime.call(rpc, request, options));
    },
    async *stream(rpc, request, options) {
      for await (const message of runtime.stream(rpc, request, options)) yield change(rpc, message);
    },
  };
}
