/** The whole route table, in the order of the documentation. */
import { containers, containerWait } from "./containers.ts";
import type { Route } from "./define.ts";
import { imageRemoval, images } from "./images.ts";
import { logs } from "./logs.ts";
import { pods } from "./pods.ts";
import { gateway, runtime } from "./runtime.ts";
import { sessions } from "./sessions.ts";

/** Routes that no single RPC answers; `http/` has a handler for each, by this name. */
export const customRoutes = { ...gateway, ...imageRemoval } as const;
export type CustomRouteId = keyof typeof customRoutes;

/** Routes that answer a sequence of items; `http/` has a handler for each, by this name. */
export const streamRoutes = { ...containerWait, ...logs } as const;
export type StreamRouteId = keyof typeof streamRoutes;

const table = [
  ...runtime,
  ...pods,
  ...containers,
  ...images,
  ...sessions,
  ...Object.values(customRoutes),
  ...Object.values(streamRoutes),
] as const;

/** The id of a route: tables about routes are keyed by it, so that a misspelt one does not compile. */
export type RouteId = (typeof table)[number]["id"];

export const routes: readonly Route[] = table;

/** The entry of a table about routes; `id` may be that of a route that is not in {@link routes}. */
export function entryOf<T>(entries: { readonly [Id in RouteId]?: T }, id: string): T | undefined {
  return Object.hasOwn(entries, id) ? entries[id as RouteId] : undefined;
}
