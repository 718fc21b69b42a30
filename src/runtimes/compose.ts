/** Runtimes are adapted in layers: each wraps the one below and is applied to calls and to streams alike. */
import type { Runtime } from "../cri/channel.ts";

/** Wraps a runtime: changes what it is asked, or what it replies. Its own questions go to `below`. */
export type Interceptor = (below: Runtime) => Runtime;

/** The runtime behind `interceptors`, of which the last one is asked first. */
export const compose = (runtime: Runtime, ...interceptors: readonly Interceptor[]): Runtime =>
  interceptors.reduce((below, intercept) => intercept(below), runtime);
