/** The complete route table, in the order of the documentation. */
import { containerPostMortem, containers, containerUsage, containerWait } from "./containers.ts";
import type { Route } from "./define.ts";
import { events } from "./events.ts";
import { imageRemoval, images, pulls } from "./images.ts";
import { logs } from "./logs.ts";
import { podRemoval, pods, podUsage } from "./pods.ts";
import { run } from "./run.ts";
import { gateway, runtime, tokens } from "./runtime.ts";
import { keptSessions, sessions } from "./sessions.ts";

/** Routes that no single RPC answers. `api/handlers.ts` has a handler for each, by this name, except for `run`. */
export const customRoutes = {
  ...gateway,
  ...tokens,
  ...run,
  ...keptSessions,
  ...containerPostMortem,
  ...podRemoval,
  ...imageRemoval,
  ...pulls,
} as const;
export type CustomRouteId = keyof typeof customRoutes;
/** Those that a handler answers. The others are made of other routes. */
export type HandledRouteId = Exclude<CustomRouteId, keyof typeof run>;

/** Routes that send a sequence of items. `api/handlers.ts` has a handler for each, by this name. */
export const streamRoutes = {
  ...containerWait,
  ...containerUsage,
  ...podUsage,
  ...logs,
  ...events,
} as const;
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

/** The id of a route. Tables about routes use it as key, so that a misspelt id does not compile. */
export type RouteId = (typeof table)[number]["id"];

export const routes: readonly Route[] = table;

/** The entry for `id` in a table about routes; undefined if there is none, or if {@link routes} has no such id. */
export function entryOf<T>(entries: { readonly [Id in RouteId]?: T }, id: string): T | undefined {
  return Object.hasOwn(entries, id) ? entries[id as RouteId] : undefined;
}
