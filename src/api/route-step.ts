/** A route as a step of another one: with its own defaults, policy, preparation and errors, but no audit or answer. */
import { decodeReply } from "../cri/codec.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { UnaryRoute } from "../routes/define.ts";
import { type RouteId, routes } from "../routes/index.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { type Binder, createBinder, type JsonObject, respell } from "./bind.ts";
import { ParsedBody } from "./bodies.ts";
import { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import type { RequestMessage, RuntimeRequest } from "./runtime-request.ts";
import { compileStages } from "./stages.ts";
import { callRuntime, unaryKind } from "./unary.ts";

export interface RouteStep {
  /** The request, as far as the stages have come. */
  readonly message: RequestMessage;
  /** Maps a pointer in the request of the RPC to where the caller wrote that value. */
  locate(pointer: string): string;
  /** Binds the body, without changing anything. @throws {GatewayError} */
  bind(): Promise<void>;
  /** The stages up to `support`. @throws {GatewayError} */
  check(): Promise<void>;
  /** Makes what the runtime needs, and then calls it. @throws {GatewayError} */
  carryOut<T>(call: (ctx: RequestContext<UnaryRoute>, outgoing: RuntimeRequest) => Promise<T>): Promise<T>;
}

export interface StepOptions {
  /** The request that the step belongs to. Gets the grants that the step uses. */
  readonly ctx: RequestContext;
  readonly gateway: Gateway;
  readonly registry: SessionRegistry;
  readonly params?: { readonly [name: string]: string };
  readonly body?: JsonObject;
  /** Maps a pointer in the step's body to the body of the request. Default: the same. */
  readonly place?: (pointer: string) => string;
  /** Cancels the step's calls when the client leaves. Default: they are not cancelled. */
  readonly isCancelled?: boolean;
}

export function createStep(
  route: UnaryRoute,
  {
    ctx: outer,
    gateway,
    registry,
    params = {},
    body,
    place = (pointer) => pointer,
    isCancelled,
  }: StepOptions,
): RouteStep {
  const bound = createBinder(route);
  const binder: Binder = {
    bind: bound.bind,
    locate(pointer, detail) {
      const found = bound.locate(pointer, detail);
      return found.pointer === undefined ? found : { ...found, pointer: place(found.pointer) };
    },
  };
  const kind = unaryKind(route, gateway, registry, { binder, isStep: true });
  // The request that it belongs to is recorded as a whole.
  const stages = compileStages(route, { ...gateway, audit: undefined }, kind);
  const parts = { params, query: {}, body: body === undefined ? undefined : new ParsedBody(body) };
  const ctx = new RequestContext(route, outer.request, outer.reply, parts);
  ctx.onCancel = isCancelled ? outer.onCancel : () => undefined;
  let plan: RuntimeRequest | undefined;
  const planned = (): RuntimeRequest => {
    if (plan === undefined) throw new TypeError(`A step of ${route.id} that was not bound`);
    return plan;
  };
  return {
    get message() {
      return ctx.outgoing?.message ?? {};
    },
    locate: (pointer) => binder.locate(respell(pointer, ctx.bound.message), "").pointer ?? pointer,
    async bind() {
      plan = await stages.begin(ctx);
    },
    async check() {
      await stages.check(ctx, planned());
      for (const grant of ctx.usedGrants) outer.usedGrants.add(grant);
    },
    carryOut: (call) => stages.carryOut(ctx, planned(), call),
  };
}

/** All stages of a step that is not checked before. @returns The decoded reply. */
export async function runStep<R extends Rpc>(
  route: UnaryRoute & { readonly rpc: R },
  options: StepOptions,
): Promise<Methods[R]["response"]> {
  const step = createStep(route, options);
  await step.bind();
  await step.check();
  return await callStep(route, step, options.gateway);
}

/** Calls the RPC of a step that was checked. @returns The decoded reply. */
export const callStep = <R extends Rpc>(
  { rpc }: { readonly rpc: R },
  step: RouteStep,
  gateway: Gateway,
): Promise<Methods[R]["response"]> =>
  step.carryOut(async (ctx, outgoing) => decodeReply(rpc, await callRuntime(ctx, outgoing, gateway)));

/** The route of this id, whose RPC is known. */
export function stepRoute<R extends Rpc>(id: RouteId, rpc: R): UnaryRoute & { readonly rpc: R } {
  const route = routes.find((one) => one.id === id);
  if (route?.kind !== "unary" || route.rpc !== rpc) throw new TypeError(`${id} is not a route for ${rpc}`);
  return route as UnaryRoute & { readonly rpc: R };
}
