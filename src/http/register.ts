/** The route table -> Fastify routes: each kind has its stages, and every route its grant. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Route, SessionRoute } from "../routes/define.ts";
import { RequestContext } from "./context.ts";
import { type CustomHandler, customKind } from "./custom.ts";
import type { Gateway } from "./gateway.ts";
import { refuseHandshake } from "./http-manners.ts";
import { listKind } from "./list.ts";
import { compileStages, grantStage, type RouteKind } from "./stages.ts";
import { unaryKind } from "./unary.ts";

type CustomHandlers = { readonly [id: string]: CustomHandler };

export function registerRoutes(
  app: FastifyInstance,
  routes: readonly Route[],
  gateway: Gateway,
  handlers: CustomHandlers,
  registerSession: (route: SessionRoute) => void,
): void {
  for (const route of routes) {
    if (route.kind === "session") {
      registerSession(route);
      continue;
    }
    const [method = "GET", path = ""] = route.http.split(" ");
    const grant = grantStage(route);
    app.route({
      method,
      url: routerPath(path),
      // Before the body is read: a caller that may not use the route need not send it.
      onRequest: async (request) => {
        grant({ request, caller: gateway.callerOf(request) });
        refuseHandshake(request.raw);
      },
      handler: handlerOf(route, gateway, handlers),
    });
  }
}

/** `/v1/images/{image}` -> `/v1/images/*`: a reference holds slashes. `/v1/pods/{id}` -> `/v1/pods/:id`. */
export function routerPath(path: string): string {
  return path.replace(/\{image\}$/, "*").replace(/\{(\w+)\}/g, ":$1");
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

function handlerOf(route: Exclude<Route, SessionRoute>, gateway: Gateway, handlers: CustomHandlers): Handler {
  switch (route.kind) {
    case "unary":
      return handler(route, gateway, unaryKind(route, gateway));
    case "list":
      return handler(route, gateway, listKind(route, gateway));
    case "custom": {
      const custom = handlers[route.id];
      if (!custom) throw new TypeError(`No handler for route ${route.id}`);
      return handler(route, gateway, customKind(route, gateway, custom));
    }
  }
}

function handler<R extends Route, P, A>(route: R, gateway: Gateway, kind: RouteKind<R, P, A>): Handler {
  const { run } = compileStages(route, gateway, kind);
  return async (request, reply) =>
    run(new RequestContext({ route, caller: gateway.callerOf(request), request, reply }));
}
