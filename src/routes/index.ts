/** The whole route table, in the order of the documentation. */
import { containers, containerWait } from "./containers.ts";
import type { Route } from "./define.ts";
import { imageRemoval, images } from "./images.ts";
import { pods } from "./pods.ts";
import { gateway, runtime } from "./runtime.ts";
import { sessions } from "./sessions.ts";

/** Routes whose answer no single RPC gives; `http/` has a handler for each, by this name. */
export const customRoutes = { ...gateway, ...containerWait, ...imageRemoval } as const;
export type CustomRouteId = keyof typeof customRoutes;

export const routes: readonly Route[] = [
  ...runtime,
  ...pods,
  ...containers,
  ...images,
  ...sessions,
  ...Object.values(customRoutes),
];
