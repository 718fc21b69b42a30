/** Finds what has no event on any runtime: a container that exits because it cannot be started. */
import { requestOf } from "../cri/codec.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "../runtimes/compose.ts";
import type { NodeEvents } from "./node-events.ts";

const start = "RuntimeService/StartContainer";
const starts: ReadonlySet<Rpc> = new Set<Rpc>([start]);

/** Looks at a container after each start through the gateway that fails. Other clients' are found by the lists. */
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
