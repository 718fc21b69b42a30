/** What a request to a custom or stream route says, with the types of the route's row. */
import type { CustomRouteId, customRoutes, StreamRouteId, streamRoutes } from "../routes/index.ts";
import type { ParametersOf, parameterSchemas } from "../routes/parameter-schemas.ts";
import type { Bound } from "./bind.ts";

type HandledRoutes = typeof customRoutes & typeof streamRoutes;
type PathOf<R> = R extends { readonly path?: infer P } ? NonNullable<P> : never;
/** The values that a path names, by the field that the route binds them to. */
type Named<F> = {
  readonly [K in Extract<F, "podSandboxId" | "containerId">]: string;
} & ("image.image" extends F ? { readonly image: { readonly image: string } } : unknown);

/** The fields that the path names, and the gateway's own query parameters. */
export type InputOf<Id extends CustomRouteId | StreamRouteId> = Named<
  PathOf<HandledRoutes[Id]>[keyof PathOf<HandledRoutes[Id]>]
> &
  (Id extends keyof typeof parameterSchemas ? ParametersOf<Id> : unknown);

/** What the binder has read and checked for the route with this id. */
export function inputOf<Id extends CustomRouteId | StreamRouteId>(
  _id: Id,
  { message, gatewayParams }: Bound,
): InputOf<Id> {
  return { ...message, ...gatewayParams } as InputOf<Id>;
}
