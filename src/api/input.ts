/** The typed input of custom and stream routes, derived from the route table. */
import type { CustomRouteId, customRoutes, StreamRouteId, streamRoutes } from "../routes/index.ts";
import type { ParametersOf, parameterSchemas } from "../routes/parameter-schemas.ts";
import type { Bound } from "./bind.ts";

type HandledRoutes = typeof customRoutes & typeof streamRoutes;
type PathOf<R> = R extends { readonly path?: infer P } ? NonNullable<P> : never;
/** Path values, keyed by the field that the route binds them to. */
type Named<F> = {
  readonly [K in Extract<F, "podSandboxId" | "containerId" | "pullId" | "tokenName" | "sessionId">]: string;
} & ("image.image" extends F ? { readonly image: { readonly image: string } } : unknown);

/** The path's fields and the gateway's own query parameters. */
export type InputOf<Id extends CustomRouteId | StreamRouteId> = Named<
  PathOf<HandledRoutes[Id]>[keyof PathOf<HandledRoutes[Id]>]
> &
  (Id extends keyof typeof parameterSchemas ? ParametersOf<Id> : unknown);

/** The values that the binder read and checked for this route. */
export function inputOf<Id extends CustomRouteId | StreamRouteId>(
  _id: Id,
  { message, gatewayParams }: Bound,
): InputOf<Id> {
  return { ...message, ...gatewayParams } as InputOf<Id>;
}
