/**
 * WebSocket routes. Everything that can fail does so before the 101, as a problem: authentication and the route's
 * grant, the handshake, the parameters, the id, the state, the RPC, the dial. The handler behind it only bridges.
 */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { secretsIn, withoutSecrets } from "../cri/secrets.ts";
import { GatewayError } from "../errors.ts";
import type { SessionRoute } from "../routes/define.ts";
import { type Prepared, type WaitingClient, whileThere } from "../streaming/while-there.ts";
import { createBinder } from "./bind.ts";
import { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { forgetAnswer } from "./pending-answers.ts";
import { routerPath } from "./register.ts";
import { bindCommand } from "./session-command.ts";
import { bindForward } from "./session-forward.ts";
import type { SessionOptions, SessionPlan } from "./session-plan.ts";
import { compileStages, grantStage, type RouteKind } from "./stages.ts";
import { type ChosenProtocols, checkHandshake, chooseProtocol } from "./websockets.ts";

export interface SessionScope {
  readonly gateway: Gateway;
  readonly sessions: SessionOptions;
  readonly chosen: ChosenProtocols;
}

export function registerSession(app: FastifyInstance, route: SessionRoute, scope: SessionScope): void {
  const { gateway, sessions } = scope;
  const stages = compileStages(route, gateway, sessionKind(route, scope));
  const grant = grantStage(route);
  const ready = new WeakMap<FastifyRequest, (socket: WebSocket) => void>();
  const [, path = ""] = route.http.split(" ");
  app.route({
    method: "GET",
    url: routerPath(path),
    onRequest: async (request) => grant({ request, caller: gateway.callerOf(request) }),
    preHandler: async (request, reply) => {
      if (!request.ws) return;
      const ctx = new RequestContext({ route, caller: gateway.callerOf(request), request, reply });
      const plan = await stages.begin(ctx);
      const place = { registry: sessions.registry, places: plan.places };
      const begin = await whileThere(request.raw.socket, place, (client) => {
        ctx.onCancel = client.onCancel;
        return stages.proceed(ctx, { ...plan, client });
      });
      ready.set(request, begin);
    },
    handler: async () => {
      throw new GatewayError(
        "upgrade_required",
        `${route.http} is a WebSocket: connect with Upgrade: websocket`,
        { headers: { upgrade: "websocket", connection: "upgrade" } },
      );
    },
    wsHandler: (socket: WebSocket, request: FastifyRequest) => {
      const begin = ready.get(request);
      if (!begin) throw new TypeError("A WebSocket without a session");
      forgetAnswer(request.raw.socket);
      // The plugin's listener would keep request and reply as long; the bridge has one of its own.
      socket.removeAllListeners("error");
      begin(socket);
    },
  });
}

/** A plan, and the client that it is carried out for once its place is reserved. */
interface Opening extends SessionPlan {
  readonly client?: WaitingClient;
}

/** `answer` is the WebSocket's: `registerSession` begins what `call` has prepared. */
function sessionKind(
  route: SessionRoute,
  { gateway, sessions, chosen }: SessionScope,
): RouteKind<SessionRoute, Opening, Prepared> {
  const binder = createBinder(route);
  const bind = route.rpc === "RuntimeService/PortForward" ? bindForward : bindCommand;
  return {
    binder,
    bind(ctx) {
      checkHandshake(ctx.request);
      const subprotocol = chooseProtocol(route, ctx.request.raw);
      if (subprotocol !== undefined) chosen.set(ctx.request.raw, subprotocol);
      ctx.bound = binder.bind(ctx.parts);
      return bind(ctx, { gateway, sessions, binder, subprotocol });
    },
    async call(_ctx, { open, client }) {
      if (client === undefined) throw new TypeError("A session without a client");
      return open(client);
    },
    answer: () => undefined,
    explain: ({ bound }, { error }) =>
      error instanceof GatewayError ? withoutSecrets(error, secretsIn(route.rpc, bound.message)) : error,
  };
}
