/** Adapts runtimes in layers: each layer wraps the one below and handles both calls and streams. */
import type { Runtime } from "../cri/channel.ts";

/** Wraps a runtime and changes its requests or replies. An interceptor's own calls go to `below`. */
export type Interceptor = (below: Runtime) => Runtime;

/** Wraps a runtime in `interceptors`, innermost first: the last one sees a call first. */
export const compose = (runtime: Runtime, ...interceptors: readonly Interceptor[]): Runtime =>
  interceptors.reduce((below, intercept) => intercept(below), runtime);
