/** Notices containers that start and go, as far as calls through this gateway start and remove them. */
import { rpcRules } from "../../cri/rpc-rules.ts";
import type { Interceptor } from "../../runtimes/compose.ts";

/** Calls `changed` after each call that starts or removes containers, whether it succeeded or not. */
export const withChangesNoticed =
  (changed: () => void): Interceptor =>
  (below) => ({
    ...below,
    async call(rpc, request, options) {
      try {
        return await below.call(rpc, request, options);
      } finally {
        const { starts, removes } = rpcRules[rpc];
        if (starts || removes !== undefined) changed();
      }
    },
  });
