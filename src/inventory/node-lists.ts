/** Lists all pods and containers for callers that need them repeatedly. */
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import type { Container, PodSandbox } from "../gen/messages.ts";
import { type ChangeWatch, type NodeChanges, watchChanges } from "./changes.ts";

export interface Lists {
  readonly pods: readonly PodSandbox[];
  readonly containers: readonly Container[];
}

export interface NodeLists {
  /** Returns the runtime's lists. While changes are followed, reads them only after a change. @throws {GatewayError} */
  read(options: CallOptions): Promise<Lists>;
  /** Follows changes until `signal` aborts, for a caller that reads every `everyMs` milliseconds. */
  follow(everyMs: number, signal: AbortSignal): void;
}

export function createNodeLists(runtime: Runtime, changes: NodeChanges): NodeLists {
  const watches = new Set<ChangeWatch>();
  let known: { readonly lists: Lists; readonly readAtMs: number } | undefined;
  return {
    async read(options) {
      const { lists, readAtMs: knownAtMs = 0 } = known ?? {};
      if (lists !== undefined && [...watches].some((watch) => watch.isCurrent(knownAtMs))) return lists;
      const readAtMs = performance.now();
      const [{ items: pods }, { containers }] = await Promise.all([
        call(runtime, "RuntimeService/ListPodSandbox", {}, options),
        call(runtime, "RuntimeService/ListContainers", {}, options),
      ]);
      const read = { pods, containers };
      known = watches.size > 0 ? { lists: read, readAtMs } : undefined;
      return read;
    },
    follow(everyMs, signal) {
      if (signal.aborted) return;
      const watch = watchChanges(changes, { insteadOfMs: everyMs, signal });
      watches.add(watch);
      signal.addEventListener(
        "abort",
        () => {
          watches.delete(watch);
          if (watches.size === 0) known = undefined;
        },
        { once: true },
      );
    },
  };
}
