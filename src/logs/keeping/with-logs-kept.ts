/** Tells the log keeper of containers that start and go, as far as calls through this gateway start and remove them. */
import { requestOf } from "../../cri/codec.ts";
import { rpcRules } from "../../cri/rpc-rules.ts";
import { type Interceptor, only } from "../../runtimes/compose.ts";
import type { Filter } from "./existing-logs.ts";
import type { LogKeeper } from "./log-keeper.ts";

/** `keeper`: undefined as long as there is none. */
export const withLogsKept = (
  keeper: () => Pick<LogKeeper, "wake" | "beforeRemoval"> | undefined,
): Interceptor =>
  only(
    ({ starts, removes }) => starts === true || removes !== undefined,
    (below) => ({
      ...below,
      async call(rpc, request, options) {
        if (rpcRules[rpc].removes !== undefined)
          await keeper()?.beforeRemoval(requestOf(rpc, request) as Filter);
        try {
          return await below.call(rpc, request, options);
        } finally {
          keeper()?.wake();
        }
      },
    }),
  );
