/** The route table -> Fastify routes: each kind has its handler, and every route its grant. */
import type { FastifyInstance } from "fastify";
import { authorize, type Caller } from "../auth/authorize.ts";
import type { CustomRoute, Route, SessionRoute } from "../routes/define.ts";
import type { OwnValues } from "../routes/parameters.ts";
import { createBinder } from "./bind.ts";
import { type Gateway, type Handler, partsOf, whenGone } from "./gateway.ts";
import { refuseHandshake } from "./http-manners.ts";
import { listHandler } from "./list.ts";
import { negotiate } from "./negotiate.ts";
import { unaryHandler } from "./unary.ts";

/** Answers a custom route. */
export type CustomHandler<A extends object = object> = (context: {
  readonly gateway: Gateway;
  readonly caller: Caller;
  /** What the path names, under the field that the route binds it to. */
  readonly path: { readonly [field: string]: unknown };
  readonly own: OwnValues;
  readonly onCancel: (cancel: () => void) => void;
}) => Promise<A>;

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
    app.route({
      method,
      url: routerPath(path),
      // Before the body is read: who may not come in need not send it.
      onRequest: async (request) => {
        authorize(route, gateway.callerOf(request), { fields: fieldsInQuery(route, request.query) });
        refuseHandshake(request.raw);
      },
      handler: handlerOf(route, gateway, handlers),
    });
  }
}

/** Names among the route's `needs` that the query gives, as far as it says so clearly; the binder reads it exactly. */
function fieldsInQuery({ needs = {} }: Route, query: unknown): readonly string[] {
  const given = query as { readonly [name: string]: unknown };
  return Object.keys(needs).filter((name) => given[name] === "" || given[name] === "true");
}

/** `/v1/images/{image}` -> `/v1/images/*`: a reference holds slashes. `/v1/pods/{id}` -> `/v1/pods/:id`. */
export function routerPath(path: string): string {
  return path.replace(/\{image\}$/, "*").replace(/\{(\w+)\}/g, ":$1");
}

function handlerOf(route: Exclude<Route, SessionRoute>, gateway: Gateway, handlers: CustomHandlers): Handler {
  switch (route.kind) {
    case "unary":
      return unaryHandler(route, gateway);
    case "list":
      return listHandler(route, gateway);
    case "custom":
      return customHandler(route, gateway, handlers);
  }
}

function customHandler(route: CustomRoute, gateway: Gateway, handlers: CustomHandlers): Handler {
  const handler = handlers[route.id];
  if (!handler) throw new TypeError(`No handler for route ${route.id}`);
  const binder = createBinder(route);
  return async (request, reply) => {
    negotiate(request.headers.accept, ["application/json"]);
    const { message: path, own } = binder.bind(partsOf(request));
    const caller = gateway.callerOf(request);
    const answer = await handler({ gateway, caller, path, own, onCancel: whenGone(reply) });
    return reply
      .code(route.success)
      .type("application/json")
      .send(Buffer.from(`${JSON.stringify(answer)}\n`));
  };
}
