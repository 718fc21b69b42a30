/** Adapts runtimes in layers: each layer wraps the one below and handles both calls and streams. */
import type { Runtime } from "../cri/channel.ts";
import { type RpcRule, rpcRules } from "../cri/rpc-rules.ts";
import type { Rpc } from "../gen/methods.ts";

/** Wraps a runtime and changes its requests or replies. An interceptor's own calls go to `below`. */
export type Interceptor = (below: Runtime) => Runtime;

/** Wraps a runtime in `interceptors`, innermost first: the last one sees a call first. */
export const compose = (runtime: Runtime, ...interceptors: readonly Interceptor[]): Runtime =>
  interceptors.reduce((below, intercept) => intercept(below), runtime);

/**
 * The interceptor for the RPCs that `concerns` chooses. Calls and streams of all other RPCs bypass it: which layer an
 * RPC enters is decided once, when the runtime is composed.
 */
export const only =
  (concerns: (rule: RpcRule, rpc: Rpc) => boolean, intercept: Interceptor): Interceptor =>
  (below) => {
    const layer = intercept(below);
    const entered = new Map<Rpc, Runtime>();
    for (const rpc of Object.keys(rpcRules) as Rpc[])
      entered.set(rpc, concerns(rpcRules[rpc], rpc) ? layer : below);
    return {
      ...layer,
      call: (rpc, request, options) => (entered.get(rpc) ?? below).call(rpc, request, options),
      stream: (rpc, request, options) => (entered.get(rpc) ?? below).stream(rpc, request, options),
    };
  };
