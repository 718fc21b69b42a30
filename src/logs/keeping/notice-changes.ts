/** Notices containers that start and go, as far as calls through this gateway start and remove them. */
import { type Interceptor, only } from "../../runtimes/compose.ts";

/** Calls `changed` after each call that starts or removes containers, whether it succeeded or not. */
export const withChangesNoticed = (changed: () => void): Interceptor =>
  only(
    ({ starts, removes }) => starts === true || removes !== undefined,
    (below) => ({
      ...below,
      async call(rpc, request, options) {
        try {
          return await below.call(rpc, request, options);
        } finally {
          changed();
        }
      },
    }),
  );
