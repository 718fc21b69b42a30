/** Reports containers that exit because they cannot be started. No runtime has an event for this. */
import { requestOf } from "../cri/codec.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "../runtimes/compose.ts";
import type { NodeEvents } from "./node-events.ts";

const start = "RuntimeService/StartContainer";
const starts: ReadonlySet<Rpc> = new Set<Rpc>([start]);

/** Looks at a container after a failed start through this gateway. Lists find those of other clients. */
export const withFailedStarts = (events: Pick<NodeEvents, "lookAt">): Interceptor =>
  only(
    (_rule, rpc) => starts.has(rpc),
    (below) => ({
      ...below,
      async call(rpc, request, options) {
        try {
          return await below.call(rpc, request, options);
        } catch (error) {
          events.lookAt(requestOf(start, request).containerId);
          throw error;
        }
      },
    }),
  );
