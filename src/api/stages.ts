/**
 * The life of a request, top to bottom, the same for every kind of route:
 *
 *   authenticate  who is it?                       (server.ts, also for paths that match no route)
 *   grant         may it use this route?           before the body is read
 *   bind          what does it ask for?            path, query and body, validated
 *   fieldGrants   may it use these fields?         grants that depend on the request
 *   target        which pod or container?          full id, and whether Crest created it
 *   defaults      what did it leave out?
 *   scope         may it do this with these pods?  where what it sees does not decide that: scoped-gateway.ts
 *   policy        may a pod ask for this?         safe values, and what exceeds them
 *   support       would the runtime ignore it?    refused, or answered with a warning
 *   claim         is its name free?               held until the call has ended
 *   steps         the stages so far, of its steps  for a route that is made of others: run-kind.ts
 *   audit         record who does what            refused if it cannot be recorded
 *   prepare       make the folders that the runtime needs
 *   call          call the runtime
 *   answer        write the response
 *
 * Compiled once per route, without the stages that the route does not need. Kinds of routes differ only in `bind`,
 * `call` and `answer`.
 */
import type { FastifyRequest } from "fastify";
import { authorize } from "../access/authorize.ts";
import { hasPolicy } from "../access/policy/pod-policy.ts";
import { allPods, type ScopedPod } from "../access/scope.ts";
import { CallCancelled } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import type { RunPodSandboxRequest } from "../gen/messages.ts";
import type { Route } from "../routes/define.ts";
import { preparations } from "../runtimes/defaults.ts";
import { canDrop, findIgnored } from "../runtimes/find-dropped.ts";
import type { Binder } from "./bind.ts";
import { callerOf, type RequestContext } from "./context.ts";
import { type Gateway, locatedInRequest, warnOfIgnored } from "./gateway.ts";
import { neededName } from "./name-claims.ts";
import { narrowPull } from "./pull-request.ts";
import { admittedBy, type Described } from "./request-audit.ts";
import { namedBy, targetStage } from "./target.ts";

/** The parts that differ between kinds of routes. `bind` prepares `P` for `call`; `answer` writes `A`. */
export interface RouteKind<R extends Route, P, A> {
  readonly binder: Binder;
  /** Binds and validates the request. Sets `bound`, and `outgoing` if one RPC answers. */
  bind(ctx: RequestContext<R>): P;
  /** Checks the steps that the route is made of. Nothing has changed so far, and nothing may. */
  checkSteps?(ctx: RequestContext<R>, plan: P): Promise<void>;
  /** What the audit log records besides what the route and its request say. */
  describe?(ctx: RequestContext<R>, plan: P): Described;
  call(ctx: RequestContext<R>, plan: P): Promise<A>;
  /** An answer to a request with an `Idempotency-Key` is written once for each repetition. */
  answer(ctx: RequestContext<R>, answer: A): unknown;
  /** How much memory an answer takes that is kept for repetitions. Default: next to nothing. */
  bytesOf?(answer: A): number;
  /** Translates an error for the caller, from `bind` on. Default: the error itself. */
  explain?(ctx: RequestContext<R>, failure: Failure): unknown;
}

/** An error, and whether `call` had begun. */
export interface Failure {
  readonly error: unknown;
  readonly isCalled: boolean;
}

export type StageName =
  | "fieldGrants"
  | "target"
  | "defaults"
  | "scope"
  | "policy"
  | "support"
  | "claim"
  | "steps"
  | "audit"
  | "prepare";
type Run = (ctx: RequestContext) => void | Promise<void>;

/** The stages that change nothing. What follows them is recorded first. */
const checking: ReadonlySet<StageName> = new Set([
  "target",
  "defaults",
  "scope",
  "policy",
  "support",
  "steps",
]);

/** The compiled stages of a route. */
export interface Stages<R extends Route, P, A> {
  /** Names of the stages between `bind` and `call`, for tests and readers. */
  readonly names: readonly StageName[];
  /** `bind` and `fieldGrants`. */
  begin(ctx: RequestContext<R>): Promise<P>;
  /** From `target` to `steps`: changes nothing. */
  check(ctx: RequestContext<R>, plan: P): Promise<void>;
  /** From `audit` on, with `call` in place of the kind's own. */
  carryOut<T>(
    ctx: RequestContext<R>,
    plan: P,
    call: (ctx: RequestContext<R>, plan: P) => Promise<T>,
  ): Promise<T>;
  /** From `target` to `call`. */
  proceed(ctx: RequestContext<R>, plan: P): Promise<A>;
  /** Writes the response. */
  answer(ctx: RequestContext<R>, answer: A): unknown;
  /** See `RouteKind`. */
  bytesOf(answer: A): number;
  /** All stages, including `answer`. */
  run(ctx: RequestContext<R>): Promise<unknown>;
}

/** The grant stage, which runs before the body is read. @throws {GatewayError} not_capable: if a grant is missing. */
export function grantStage(route: Route): (request: FastifyRequest) => void {
  const fields = Object.keys(route.fieldGrants ?? {});
  return (request) => {
    const query = request.query as { readonly [name: string]: unknown };
    // Only unambiguous values. The binder parses the query exactly, and `fieldGrants` checks again.
    const given = fields.filter((name) => query[name] === "" || query[name] === "true");
    authorize(route, callerOf(request), { fields: given });
  };
}

export function compileStages<R extends Route, P, A>(
  route: R,
  gateway: Gateway,
  kind: RouteKind<R, P, A>,
): Stages<R, P, A> {
  const fieldGrants = fieldGrantsStage(route);
  type RunWithPlan = (ctx: RequestContext<R>, plan: P) => void | Promise<void>;
  const all: readonly (readonly [StageName, RunWithPlan | undefined])[] = [
    ["target", targetStage(route, gateway)],
    ["defaults", defaultsStage(route, gateway)],
    ["scope", scopeStage(route, gateway)],
    ["policy", policyStage(route, gateway, kind.binder)],
    ["support", supportStage(route, gateway, kind.binder)],
    ["claim", claimStage(route, gateway)],
    ["steps", kind.checkSteps?.bind(kind)],
    ["audit", auditStage(route, gateway, kind)],
    ["prepare", prepareStage(route)],
  ];
  const stages = all.flatMap(([name, run]) => (run === undefined ? [] : [{ name, run }]));

  const checks = stages.filter(({ name }) => checking.has(name));
  const effects = stages.filter(({ name }) => !checking.has(name));

  async function runEach(some: typeof stages, ctx: RequestContext<R>, plan: P): Promise<void> {
    for (const { run } of some) {
      const pending = run(ctx, plan);
      if (pending !== undefined) await pending;
    }
  }

  async function meaningOf(ctx: RequestContext<R>, error: unknown, isCalled: boolean): Promise<unknown> {
    return kind.explain === undefined ? error : await kind.explain(ctx, { error, isCalled });
  }

  async function begin(ctx: RequestContext<R>): Promise<P> {
    try {
      const plan = kind.bind(ctx);
      fieldGrants?.(ctx);
      return plan;
    } catch (error) {
      throw await meaningOf(ctx, error, false);
    }
  }

  async function check(ctx: RequestContext<R>, plan: P): Promise<void> {
    try {
      await runEach(checks, ctx, plan);
    } catch (error) {
      throw await meaningOf(ctx, error, false);
    }
  }

  async function carryOut<T>(
    ctx: RequestContext<R>,
    plan: P,
    call: (ctx: RequestContext<R>, plan: P) => Promise<T>,
  ): Promise<T> {
    let isCalled = false;
    try {
      await runEach(effects, ctx, plan);
      isCalled = true;
      return await call(ctx, plan);
    } catch (error) {
      throw await meaningOf(ctx, error, isCalled);
    } finally {
      ctx.releaseName?.();
    }
  }

  async function proceed(ctx: RequestContext<R>, plan: P): Promise<A> {
    if (checks.length > 0) await check(ctx, plan);
    return await carryOut(ctx, plan, kind.call);
  }

  return {
    names: [
      ...(fieldGrants === undefined ? [] : ["fieldGrants" as const]),
      ...stages.map(({ name }) => name),
    ],
    begin,
    check,
    carryOut,
    proceed,
    answer: (ctx, answer) => kind.answer(ctx, answer),
    bytesOf: (answer) => kind.bytesOf?.(answer) ?? 0,
    async run(ctx) {
      return kind.answer(ctx, await proceed(ctx, await begin(ctx)));
    },
  };
}

/** @throws {GatewayError} not_capable: for a field or image that this caller may not use. */
function fieldGrantsStage(route: Route): ((ctx: RequestContext) => void) | undefined {
  if (route.fieldGrants === undefined && route.allow !== "pull") return undefined;
  return (ctx) => {
    const { caller, bound } = ctx;
    if (bound.given.length > 0) authorize(route, caller, { fields: bound.given });
    for (const field of bound.given) {
      const grant = route.fieldGrants?.[field];
      if (grant !== undefined) ctx.usedGrants.add(grant);
    }
    if (route.allow === "pull") narrowPull(ctx);
  };
}

/**
 * For callers that may do this with some pods only: checks the pod that a request would create, and the ports. Other pods
 * than those are not there for them, so nothing else needs to be checked.
 *
 * @throws {GatewayError} not_capable
 */
function scopeStage(route: Route, { readable, inventory }: Gateway): Run | undefined {
  if (readable === undefined) return undefined;
  if (route.allow === "forward") {
    return async ({ bound, caller, target }) => {
      if (target === undefined) return;
      const pod = await inventory.podOf("pod", target.id);
      const { port: ports = [] } = bound.message as { readonly port?: readonly number[] };
      for (const port of ports) authorize(route, caller, { resource: { ...pod, port } });
    };
  }
  if (route.kind !== "unary" || namedBy(route) !== undefined || route.scope === "none") return undefined;
  return ({ caller, outgoing }) => {
    const resource = route.scope === "config" ? configuredPod(outgoing?.message) : allPods;
    authorize(route, caller, { resource });
  };
}

/** The pod that a request to run one describes. */
function configuredPod(message: object | undefined): ScopedPod {
  const { config } = (message ?? {}) as Partial<RunPodSandboxRequest>;
  const { namespace = "", name = "" } = config?.metadata ?? {};
  return { namespace, name, labels: config?.labels ?? {} };
}

/**
 * @throws {InvalidValue} if this runtime could not use a value.
 * @throws {GatewayError} not_found
 */
function defaultsStage(route: Route, { defaults }: Gateway): Run | undefined {
  // Each completes the message of its own RPC, which is that of the route.
  const complete =
    route.kind === "unary" ? (defaults[route.rpc] as (message: object) => Promise<object>) : undefined;
  if (complete === undefined) return undefined;
  return async ({ outgoing }) => {
    if (outgoing !== undefined) outgoing.message = { ...(await complete(outgoing.message)) };
  };
}

/** @throws {GatewayError} not_capable: with the locations as the caller wrote them. */
function policyStage(route: Route, { policy, findCheckpoints }: Gateway, binder: Binder): Run | undefined {
  if (route.kind !== "unary" || !hasPolicy(route.rpc)) return undefined;
  const { rpc } = route;
  return async ({ bound, caller, outgoing, usedGrants }) => {
    if (outgoing === undefined) return;
    const checkpoints = await findCheckpoints(policy.imagesIn(outgoing.message, caller));
    try {
      const used = (grant: string): void => void usedGrants.add(grant);
      const allowed = policy.apply(rpc, outgoing.message, caller, { checkpoints, used });
      if (allowed !== outgoing.message) outgoing.message = allowed;
    } catch (error) {
      throw locatedInRequest(error, bound.message, binder);
    }
  };
}

/** @throws {GatewayError} not_implemented: for a field that the runtime would ignore, leaving more rights than asked. */
function supportStage(route: Route, { runtime }: Gateway, binder: Binder): Run | undefined {
  if (route.kind !== "unary" || !canDrop(route.rpc)) return undefined;
  const { rpc } = route;
  return async ({ bound, outgoing, reply }) => {
    if (outgoing === undefined) return;
    try {
      warnOfIgnored(reply, await findIgnored(runtime, rpc, outgoing.message), bound.message, binder);
    } catch (error) {
      throw locatedInRequest(error, bound.message, binder);
    }
  };
}

/** @throws {GatewayError} name_reserved: for a pod without a uid whose name a ready pod has. */
function claimStage(route: Route, { runtime, names }: Gateway): Run | undefined {
  if (route.kind !== "unary" || rpcRules[route.rpc].creates !== "pod") return undefined;
  return async (ctx) => {
    const name = neededName(route, ctx);
    if (name === undefined) return;
    let isGone = false;
    ctx.onCancel(() => {
      isGone = true;
    });
    ctx.releaseName = await names.claim(runtime, name);
    if (isGone) throw new CallCancelled("the client left while it waited for the name");
  };
}

/** @throws {GatewayError} audit_failed */
function auditStage<R extends Route, P>(
  route: R,
  { audit, inventory }: Gateway,
  kind: Pick<RouteKind<R, P, unknown>, "describe">,
): ((ctx: RequestContext<R>, plan: P) => Promise<void>) | undefined {
  if (audit === undefined || !audit.covers(route)) return undefined;
  return async (ctx, plan) => {
    const { grants, object, annotations } = await admittedBy(route, ctx, inventory);
    const described = kind.describe?.(ctx, plan);
    audit.admit(ctx.request, {
      grants,
      object: { ...object, ...described?.object },
      annotations: { ...annotations, ...described?.annotations },
    });
  };
}

/** Only now that the request is permitted does anything change on the node. @throws {InvalidValue} */
function prepareStage(route: Route): Run | undefined {
  const prepare =
    route.kind === "unary" ? (preparations[route.rpc] as (message: object) => Promise<void>) : undefined;
  if (prepare === undefined) return undefined;
  return async ({ outgoing }) => {
    if (outgoing !== undefined) await prepare(outgoing.message);
  };
}
