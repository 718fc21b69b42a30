/**
 * Routes that open a WebSocket.
 *
 * Invariant: everything that can fail does so before the 101, as a problem: authentication, the route's grant, the
 * handshake, the parameters, the id, the state, the runtime. After it, the handler only moves data.
 */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Route } from "../routes/define.ts";
import type { WhyOver } from "../server/over-watch.ts";
import { forgetResponse } from "../server/pending-responses.ts";
import type { Bridged } from "../streaming/bridge.ts";
import { type PendingSession, prepareSession, type WaitingClient } from "../streaming/pending-session.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import type { StagesFor } from "./compile-routes.ts";
import { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { routerPath } from "./router-path.ts";
import { grantStage } from "./stages.ts";

/** The plan of a WebSocket request. */
export interface UpgradePlan {
  /** Number of places among the sessions. */
  readonly places: number;
  /** Why the session may not go on. Default: that of its caller. */
  readonly whyOver?: WhyOver;
  /** Set before the runtime is called. */
  readonly client?: WaitingClient;
}

export interface UpgradeRoute<R extends Route, P extends UpgradePlan, A> {
  readonly route: R;
  readonly gateway: Gateway;
  readonly registry: SessionRegistry;
  readonly stagesFor: StagesFor<R, P, A>;
  /** The session that `call` opened. */
  sessionOf(answer: A): PendingSession;
  /** Answers a request without a WebSocket upgrade. */
  handler(request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
}

/** Registers a route that accepts WebSocket upgrades. */
export function registerUpgrade<R extends Route, P extends UpgradePlan, A>(
  app: FastifyInstance,
  { route, gateway, registry, stagesFor, sessionOf, handler }: UpgradeRoute<R, P, A>,
): void {
  const grant = grantStage(route);
  const limit = route.kind === "stream" ? "streams" : "sessions";
  const ready = new WeakMap<FastifyRequest, (socket: WebSocket) => Bridged>();
  const [, path = ""] = route.http.split(" ");
  app.route({
    method: "GET",
    url: routerPath(path),
    config: { logged: route },
    onRequest: async (request) => grant(request),
    preHandler: async (request, reply) => {
      if (!request.ws) return;
      const ctx = new RequestContext(route, request, reply);
      const stages = stagesFor(request);
      const plan = await stages.begin(ctx);
      const { caller } = ctx;
      const take = (places: number) => gateway.limits.take(limit, caller, places);
      const place = { registry, places: plan.places, take, whyOver: plan.whyOver ?? caller.whyOver };
      const begin = await prepareSession(request.raw.socket, place, async (client) => {
        ctx.onCancel = client.onCancel;
        return sessionOf(await stages.proceed(ctx, { ...plan, client }));
      });
      ready.set(request, begin);
    },
    handler,
    wsHandler: (socket: WebSocket, request: FastifyRequest) => {
      const begin = ready.get(request);
      if (!begin) throw new TypeError("A WebSocket without a session");
      gateway.sessionStarted(request, socket);
      forgetResponse(request.raw.socket);
      // The plugin's listener would keep request and reply alive; the session has its own.
      socket.removeAllListeners("error");
      const session = begin(socket);
      gateway.audit?.sessionBegan(request, socket, session);
    },
  });
}
