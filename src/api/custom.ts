/** Routes that no single RPC answers. Each has a handler, found by its id. */
import type { CustomRoute } from "../routes/define.ts";
import { createBinder } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { negotiate } from "./negotiate.ts";
import type { RouteKind } from "./stages.ts";

/** Answers a custom route. `bound.message` holds the path parameters, under the fields that the route binds them to. */
export type CustomHandler<A extends object = object> = (
  ctx: RequestContext<CustomRoute>,
  gateway: Gateway,
) => Promise<A>;

export function customKind(
  route: CustomRoute,
  gateway: Gateway,
  handler: CustomHandler,
): RouteKind<CustomRoute, void, object> {
  const binder = createBinder(route);
  return {
    binder,
    bind(ctx) {
      negotiate(ctx.request.headers.accept, ["application/json"]);
      ctx.bound = binder.bind(ctx.parts);
    },
    call: (ctx) => handler(ctx, gateway),
    answer: ({ reply }, answer) =>
      reply
        .code(route.success)
        .type("application/json")
        .send(Buffer.from(textOf(answer))),
    bytesOf: (answer) => Buffer.byteLength(textOf(answer)),
  };
}

const textOf = (answer: object): string => `${JSON.stringify(answer)}\n`;
