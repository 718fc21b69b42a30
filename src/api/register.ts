/** Registers the route table with Fastify: each kind with its stages, each route with its grant. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type CustomRoute,
  isIdempotent,
  type ResumeRoute,
  type Route,
  type SessionRoute,
  type StreamRoute,
} from "../routes/define.ts";
import { refuseHandshake } from "../server/request-checks.ts";
import { compileRoute } from "./compile-routes.ts";
import { RequestContext } from "./context.ts";
import { type CustomHandler, customKind } from "./custom.ts";
import { type Gateway, whenClosed } from "./gateway.ts";
import { idempotencyKeyOf } from "./idempotency.ts";
import { listKind } from "./list.ts";
import { routerPath } from "./router-path.ts";
import { runKind } from "./run-kind.ts";
import { runOnce } from "./run-once.ts";
import { registerResume, registerSession, type SessionScope } from "./sessions.ts";
import { grantStage, type RouteKind } from "./stages.ts";
import { type StreamHandler, streamKind } from "./stream.ts";
import { unaryKind } from "./unary.ts";
import { registerUpgrade } from "./upgrade-route.ts";

/** The services and handlers that routes need. */
export interface RouteScope extends SessionScope {
  /** By route id. */
  readonly custom: { readonly [id: string]: CustomHandler };
  readonly streams: { readonly [id: string]: StreamHandler };
}

export function registerRoutes(app: FastifyInstance, routes: readonly Route[], scope: RouteScope): void {
  for (const route of routes) registerRoute(app, route, scope);
}

function registerRoute(app: FastifyInstance, route: Route, scope: RouteScope): void {
  const { gateway } = scope;
  if (route.kind === "unary")
    registerPlain(app, route, gateway, (seen) => unaryKind(route, seen, scope.sessions.registry));
  else if (route.kind === "list") registerPlain(app, route, gateway, (seen) => listKind(route, seen));
  else if (route.kind === "custom" && route.progress === "run")
    registerPlain(app, route, gateway, (seen) => runKind(route, seen, scope.sessions.registry));
  else if (route.kind === "custom")
    registerPlain(app, route, gateway, (seen) => customKind(route, seen, handlerOf(route, scope.custom)));
  else if (route.kind === "session") registerSession(app, route, scope);
  else if (route.kind === "resume") registerResume(app, route, scope);
  else registerStream(app, route, scope);
}

function handlerOf<H>({ id }: CustomRoute | StreamRoute, handlers: { readonly [id: string]: H }): H {
  const handler = handlers[id];
  if (handler === undefined) throw new TypeError(`No handler for route ${id}`);
  return handler;
}

/** Registers a route that sends one response per request. */
function registerPlain<R extends Exclude<Route, SessionRoute | ResumeRoute>, P, A>(
  app: FastifyInstance,
  route: R,
  gateway: Gateway,
  kindOf: (gateway: Gateway) => RouteKind<R, P, A>,
): void {
  const [method = "GET", path = ""] = route.http.split(" ");
  const grant = grantStage(route);
  const stagesFor = compileRoute(route, gateway, kindOf);
  app.route({
    method,
    url: routerPath(path),
    config: { logged: route },
    // Before the body is read: a caller without the grant need not send it.
    onRequest: async (request) => {
      grant(request);
      refuseHandshake(request.raw);
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const ctx = new RequestContext(route, request, reply);
      cutWhenOver(ctx, gateway);
      const key = isIdempotent(route) ? idempotencyKeyOf(request) : undefined;
      if (key === undefined) return stagesFor(request).run(ctx);
      return runOnce(ctx, stagesFor(request), { idempotency: gateway.idempotency, key });
    },
  });
}

/** How long a stream has to say why it ends, in milliseconds. */
const farewellMs = 1000;

/** Cuts off an answer under way when its caller may not go on. What the runtime was asked to do is cancelled. */
function cutWhenOver({ caller, reply }: RequestContext, { overWatch }: Gateway): void {
  if (caller.whyOver === undefined) return;
  const cut = (): void => void setTimeout(() => reply.raw.destroy(), farewellMs).unref();
  whenClosed(reply, overWatch.watch(caller.whyOver, cut));
}

function registerStream(app: FastifyInstance, route: StreamRoute, scope: RouteScope): void {
  const { gateway, sessions, chosen, streams } = scope;
  const handler = handlerOf(route, streams);
  const stagesFor = compileRoute(route, gateway, (seen) =>
    streamKind(route, seen, { handler, sessions, chosen }),
  );
  registerUpgrade(app, {
    route,
    gateway,
    registry: sessions.registry,
    stagesFor,
    sessionOf(opened) {
      if (!("session" in opened)) throw new TypeError("A WebSocket without a session");
      return opened.session;
    },
    handler: async (request, reply) => {
      const ctx = new RequestContext(route, request, reply);
      cutWhenOver(ctx, gateway);
      return stagesFor(request).run(ctx);
    },
  });
}
