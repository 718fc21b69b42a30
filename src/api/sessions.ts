/** Session routes: exec, attach and port forwarding over WebSocket. */
import type { FastifyInstance } from "fastify";
import { GatewayError } from "../errors.ts";
import type { ResumeRoute, SessionRoute } from "../routes/define.ts";
import { secretsIn, withoutSecrets } from "../runtimes/secrets.ts";
import type { Subprotocol } from "../streaming/channels.ts";
import type { PendingSession, WaitingClient } from "../streaming/pending-session.ts";
import { createBinder } from "./bind.ts";
import { compileRoute } from "./compile-routes.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { bindAttach, bindExec } from "./session-command.ts";
import { bindForward } from "./session-forward.ts";
import type { SessionOptions, SessionPlan, SessionRpc } from "./session-plan.ts";
import { bindResume } from "./session-resume.ts";
import type { RouteKind } from "./stages.ts";
import { registerUpgrade } from "./upgrade-route.ts";
import { type ChosenProtocols, checkHandshake, chooseProtocol } from "./websockets.ts";

export interface SessionScope {
  readonly gateway: Gateway;
  readonly sessions: SessionOptions;
  readonly chosen: ChosenProtocols;
}

export function registerSession(app: FastifyInstance, route: SessionRoute, scope: SessionScope): void {
  registerWith(app, route, scope, (seen) => sessionKind(route, { ...scope, gateway: seen }));
}

export function registerResume(app: FastifyInstance, route: ResumeRoute, scope: SessionScope): void {
  registerWith(app, route, scope, (seen) => resumeKind(route, { ...scope, gateway: seen }));
}

function registerWith<R extends SessionRoute | ResumeRoute>(
  app: FastifyInstance,
  route: R,
  { gateway, sessions }: SessionScope,
  kindOf: (gateway: Gateway) => RouteKind<R, Opening, PendingSession>,
): void {
  registerUpgrade(app, {
    route,
    gateway,
    registry: sessions.registry,
    stagesFor: compileRoute<R, Opening, PendingSession>(route, gateway, kindOf),
    sessionOf: (session) => session,
    handler: async () => {
      throw new GatewayError(
        "upgrade_required",
        `${route.http} is a WebSocket: connect with Upgrade: websocket`,
        { headers: { upgrade: "websocket", connection: "upgrade" } },
      );
    },
  });
}

const binds = {
  "RuntimeService/Exec": bindExec,
  "RuntimeService/Attach": bindAttach,
  "RuntimeService/PortForward": bindForward,
} as const satisfies { readonly [R in SessionRpc]: unknown };

/** A plan, and its client once the session's place is reserved. */
interface Opening extends SessionPlan {
  readonly client?: WaitingClient;
}

/** `answer` does nothing: the WebSocket begins the session that `call` prepared. */
function sessionKind(
  route: SessionRoute,
  { gateway, sessions, chosen }: SessionScope,
): RouteKind<SessionRoute, Opening, PendingSession> {
  const binder = createBinder(route);
  const bind = binds[route.rpc as SessionRpc];
  return {
    binder,
    bind(ctx) {
      const subprotocol = shakeHands(ctx, chosen);
      ctx.bound = binder.bind(ctx.parts);
      return bind(ctx, { gateway, sessions, binder, subprotocol });
    },
    call: openPlan,
    answer: () => undefined,
    explain: ({ bound }, { error }) =>
      error instanceof GatewayError ? withoutSecrets(error, secretsIn(route.rpc, bound.message)) : error,
  };
}

/** The stages that decide are those of the session's container, at this moment. */
function resumeKind(
  route: ResumeRoute,
  { gateway, sessions, chosen }: SessionScope,
): RouteKind<ResumeRoute, Opening, PendingSession> {
  const binder = createBinder(route);
  return {
    binder,
    bind(ctx) {
      const subprotocol = shakeHands(ctx, chosen);
      ctx.bound = binder.bind(ctx.parts);
      return bindResume(ctx, { gateway, sessions, binder, subprotocol });
    },
    call: openPlan,
    answer: () => undefined,
  };
}

/** @returns The subprotocol that the session uses. @throws {GatewayError} if the handshake is invalid. */
function shakeHands(
  { route, request }: RequestContext<SessionRoute | ResumeRoute>,
  chosen: ChosenProtocols,
): Subprotocol | undefined {
  checkHandshake(request);
  const subprotocol = chooseProtocol(route.subprotocols as readonly Subprotocol[], request.raw);
  if (subprotocol !== undefined) chosen.set(request.raw, subprotocol);
  return subprotocol;
}

async function openPlan(_ctx: RequestContext, { open, client }: Opening): Promise<PendingSession> {
  if (client === undefined) throw new TypeError("A session without a client");
  return open(client);
}
