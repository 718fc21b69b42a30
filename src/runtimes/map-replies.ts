/** Changing what a runtime replies, in one place for calls and for streams. */

import type { Runtime } from "../cri/channel.ts";
import type { Rpc } from "../gen/methods.ts";

/**
 * A runtime whose replies, and whose messages of streams, went through `change` first. `change` owns the bytes
 * that it gets and may answer the same.
 */
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
