/** The stages of a route for each caller. */
import type { FastifyRequest } from "fastify";
import { type Caller, isScoped } from "../access/authorize.ts";
import type { Grant } from "../grants.ts";
import type { Route } from "../routes/define.ts";
import { callerOf } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { scopedGateway } from "./scoped-gateway.ts";
import { compileStages, type RouteKind, type Stages } from "./stages.ts";

/** Returns the stages that apply to a request. */
export type StagesFor<R extends Route, P, A> = (request: FastifyRequest) => Stages<R, P, A>;

const scopedGateways = new WeakMap<Caller, Map<Grant, Gateway>>();

/** One for all routes with the same grant, so that they share what they remember. */
function gatewayFor(gateway: Gateway, caller: Caller, grant: Grant): Gateway {
  const known = scopedGateways.get(caller) ?? new Map<Grant, Gateway>();
  scopedGateways.set(caller, known);
  const scoped = known.get(grant) ?? scopedGateway(gateway, caller, grant);
  known.set(grant, scoped);
  return scoped;
}

/**
 * Compiles a route once for all callers whose grant is not narrowed to some pods, and once for each other one: their
 * routes work on what they see. A caller must be the same object in all its requests.
 */
export function compileRoute<R extends Route, P, A>(
  route: R,
  gateway: Gateway,
  kindOf: (gateway: Gateway) => RouteKind<R, P, A>,
): StagesFor<R, P, A> {
  const { allow } = route;
  const whole = compileStages(route, gateway, kindOf(gateway));
  const scoped = new WeakMap<Caller, Stages<R, P, A>>();
  return (request) => {
    const caller = callerOf(request);
    if (allow === "authenticated" || !isScoped(route, caller)) return whole;
    let stages = scoped.get(caller);
    if (stages === undefined) {
      const seen = gatewayFor(gateway, caller, allow);
      stages = compileStages(route, seen, kindOf(seen));
      scoped.set(caller, stages);
    }
    return stages;
  };
}
