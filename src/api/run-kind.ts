/**
 * `run`: a pod with one container in one request. It is made of the routes that pull, run a pod, create and start a
 * container, and has no rules of its own for what these do.
 *
 * Everything is checked before anything happens. A step that fails undoes the ones before it, except for a pull: the
 * image stays. So does a client that leaves before the container has started, and the end of the gateway.
 */
import type { FastifyReply } from "fastify";
import { requireGrants } from "../access/authorize.ts";
import type { PodPolicy } from "../access/policy/pod-policy.ts";
import type { Refusal } from "../access/policy/refusal.ts";
import { normalReference } from "../access/reference.ts";
import type { ScopedPod } from "../access/scope.ts";
import { call } from "../cri/call.ts";
import { CallCancelled } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { PodSandboxConfig } from "../gen/messages.ts";
import type { Grant } from "../grants.ts";
import { accountOf } from "../limits/caller-limiter.ts";
import { endOrTimeout, follow } from "../pulls/follow.ts";
import type { Pull } from "../pulls/pull-registry.ts";
import type { RunAnswer, RunItem } from "../routes/answers.ts";
import { type CustomRoute, mediaTypesOf, type UnaryRoute } from "../routes/define.ts";
import type { ParametersOf } from "../routes/parameter-schemas.ts";
import { findableReference } from "../runtimes/image-id.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import { noteTarget } from "../server/request-record.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { closeCode } from "../streaming/socket.ts";
import { createBinder, invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { type Gateway, whenClosed } from "./gateway.ts";
import { type Ending, endingOf, itemsOverHttp } from "./item-stream.ts";
import { locationOf } from "./location.ts";
import { negotiate } from "./negotiate.ts";
import { pullAnswer } from "./pull-answer.ts";
import { firstItemMs, joinPull, progressFormats } from "./pull-call.ts";
import { callStep, createStep, type RouteStep, runStep, stepRoute } from "./route-step.ts";
import { planRun, type RunPart, type RunPlan } from "./run-body.ts";
import { maxOutputBytes, waitForResult } from "./run-output.ts";
import { type Made, removeMade, removePod } from "./run-undo.ts";
import type { RouteKind } from "./stages.ts";
import type { StreamFormat } from "./stream-formats.ts";

type Context = RequestContext<CustomRoute>;
/** An answer; without a stream it can be written again. */
interface Answer {
  readonly bytes: number;
  send(reply: FastifyReply): unknown;
}

const pullRoute = stepRoute("pullImage", "ImageService/PullImage");
const podRoute = stepRoute("runPod", "RuntimeService/RunPodSandbox");
const containerRoute = stepRoute("createContainer", "RuntimeService/CreateContainer");
const startRoute = stepRoute("startContainer", "RuntimeService/StartContainer");

/** A container of a pod that does not exist yet: its request carries the pod's config. Only checked, never sent. */
const plannedContainerRoute: UnaryRoute = {
  ...containerRoute,
  path: {},
  fieldGrants: {},
  scope: "none",
};

/** What `bind` prepares. */
interface Bound extends RunPlan {
  readonly parameters: ParametersOf<"run">;
  readonly ending: Ending;
  /** Absent for JSON. */
  readonly format: StreamFormat | undefined;
  readonly steps: { readonly pull: RouteStep | undefined; readonly pod: RouteStep };
  /** What the pod policy refuses, with pointers into the body. */
  readonly refusals: Refusal[];
}

export function runKind(
  route: CustomRoute,
  gateway: Gateway,
  registry: SessionRegistry,
): RouteKind<CustomRoute, Bound, Answer> {
  const binder = createBinder(route);

  /** A step whose policy refusals are collected, so that all are named at once. */
  function stepOf(
    ctx: Context,
    part: RunPart,
    route: UnaryRoute,
    { plan, refusals, body }: { plan: RunPlan; refusals: Refusal[]; body: RunPlan["bodies"][RunPart] },
  ): RouteStep {
    const { policy } = gateway;
    const collecting: PodPolicy = {
      ...policy,
      apply(rpc, request, caller, options) {
        const judged = policy.judge(rpc, request, caller, options);
        for (const one of judged.refusals)
          addRefusal(refusals, { ...one, pointer: step.locate(one.pointer) });
        return judged.message;
      },
    };
    const step: RouteStep = createStep(route, {
      ctx,
      gateway: { ...gateway, policy: collecting },
      registry,
      body,
      place: placeOf(plan, part),
      isCancelled: part === "pull",
    });
    return step;
  }

  return {
    binder,

    bind(ctx) {
      const format = progressFormats[negotiate(ctx.request.headers.accept, mediaTypesOf(route))];
      if (format !== undefined && ctx.request.headers["idempotency-key"] !== undefined)
        throw invalid([
          { parameter: "Idempotency-Key", detail: "goes with JSON only, as its steps cannot be repeated" },
        ]);
      ctx.bound = binder.bind(ctx.parts);
      const parameters = ctx.bound.gatewayParams as ParametersOf<"run">;
      checkParameters(parameters);
      const plan = planRun(ctx.bound.body ?? {});
      const ending = endingOf(ctx);
      const refusals: Refusal[] = [];
      const step = (part: RunPart, of: UnaryRoute): RouteStep =>
        stepOf(ctx, part, of, { plan, refusals, body: plan.bodies[part] });
      const pull = plan.pull === "never" ? undefined : step("pull", pullRoute);
      return { ...plan, parameters, ending, format, refusals, steps: { pull, pod: step("pod", podRoute) } };
    },

    async checkSteps(ctx, bound) {
      const { steps, refusals, bodies } = bound;
      const container = (body: object): RouteStep =>
        stepOf(ctx, "container", plannedContainerRoute, {
          plan: bound,
          refusals,
          body: { ...bodies.container, ...body },
        });
      const all = [steps.pod, container({}), ...(steps.pull === undefined ? [] : [steps.pull])];
      let withoutGrant: unknown;
      // Before the grants: they depend on the names. A pull without its grant is refused with the others.
      await allOf(
        all.map((step) => async () => {
          await step.bind().catch((error: unknown) => {
            if (!(error instanceof GatewayError && error.code === "not_capable")) throw error;
            withoutGrant = error;
          });
        }),
      );
      requireGrants(needsOf(bound), ctx.caller);
      if (withoutGrant !== undefined) throw withoutGrant;
      await allOf([
        async () => await steps.pod.check(),
        async () => {
          const planned = container({ sandboxConfig: configOf(steps.pod) });
          await planned.bind();
          await planned.check();
        },
        async () => await steps.pull?.check(),
      ]).catch((error: unknown) => {
        // The policy comes first, as for each of the routes.
        if (refusals.length === 0) throw error;
      });
      if (refusals.length > 0) throw gateway.policy.refusal(refusals);
      for (const { grant } of needsOf(bound)) ctx.usedGrants.add(grant);
    },

    describe(_ctx, { steps, bodies, image }) {
      const { namespace, name } = configOf(steps.pod).metadata ?? {};
      const { name: container } = bodies.container.metadata as { readonly name?: string };
      return {
        object: { namespace, name },
        annotations: { "object.crest/container": container, "object.crest/image": image },
      };
    },

    async call(ctx, bound) {
      const { format, ending } = bound;
      if (format === undefined) {
        const held = bound.parameters.wait ? gateway.limits.take("streams", ctx.caller) : undefined;
        let answer: RunAnswer;
        try {
          answer = await perform(ctx, bound).answer;
        } finally {
          held?.release();
        }
        return jsonAnswer(answer);
      }
      const open = async (): Promise<AsyncIterable<RunItem>> => await openItems(ctx, perform(ctx, bound));
      const { send } = await itemsOverHttp(ctx, { gateway, registry, format, ending, open });
      return { bytes: 0, send: (reply) => send(reply.code(route.success)) };
    },

    answer: ({ reply }, answer) => answer.send(reply),
    bytesOf: ({ bytes }) => bytes,
  };

  function jsonAnswer(answer: RunAnswer): Answer {
    const body = Buffer.from(`${JSON.stringify(answer)}\n`);
    const location = locationOf(route.location ?? "", answer);
    return {
      bytes: body.length,
      send: (reply) =>
        reply.raw.destroyed
          ? reply.hijack()
          : reply.code(route.success).header("location", location).type("application/json").send(body),
    };
  }

  /** Goes on by itself, whether or not somebody reads about it. */
  function perform(ctx: Context, bound: Bound): Performing {
    const { ending } = bound;
    let begun: (pull: Pull) => void = () => undefined;
    const pull = new Promise<Pull>((resolve) => {
      begun = resolve;
    });
    const slot = registry.reserve(ending.end, { places: 0, whyOver: ctx.caller.whyOver });
    const answer = runSteps(ctx, bound, begun);
    const ended = answer.then(
      () => undefined,
      () => undefined,
    );
    // The end of the gateway waits until nothing is left behind.
    slot.hold({
      ended,
      traffic: { received: 0, sent: 0 },
      end: (code, reason) =>
        ending.end(
          new GatewayError(code === closeCode.unauthenticated ? "unauthenticated" : "shutting_down", reason),
        ),
    });
    return { pull, answer, ended };
  }

  async function openItems(
    ctx: Context,
    { pull, answer, ended }: Performing,
  ): Promise<AsyncIterable<RunItem>> {
    const pulling = await Promise.race([pull, ended]);
    if (pulling !== undefined) await endOrTimeout(pulling, firstItemMs, ctx.signal);
    const isQuick = pulling === undefined || pulling.endedAt !== undefined;
    // What fails early is answered with the status of its problem.
    if (isQuick) await answer;
    return (async function* () {
      if (!isQuick) {
        for await (const now of follow(pulling, { signal: ctx.signal }))
          if (now.error === undefined) yield { progress: pullAnswer(now) };
      }
      yield { result: await answer };
    })();
  }

  /** @throws {GatewayError} That of the step that failed, with its name. */
  async function runSteps(ctx: Context, bound: Bound, begun: (pull: Pull) => void): Promise<RunAnswer> {
    const { ending, steps, parameters, bodies } = bound;
    const made: Made = {};
    let step = "pull" as StepName;
    const begin = (next: StepName): void => {
      if (ctx.signal.aborted) throw ending.reason ?? new CallCancelled("the client has left");
      step = next;
    };
    try {
      await requireFreeName(bound);
      const pulled = await pullImage(ctx, bound, begun);
      begin("pod");
      const { metadata = {} } = configOf(steps.pod);
      made.asked = { metadata, atMs: Date.now() };
      made.podSandboxId = (await callStep(podRoute, steps.pod, gateway)).podSandboxId;
      begin("container");
      const { podSandboxId } = made;
      const containerBody = bodies.container;
      const inPod = { ctx, gateway, registry, place: placeOf(bound, "container") };
      made.containerId = (
        await runStep(containerRoute, { ...inPod, params: { podSandboxId }, body: containerBody })
      ).containerId;
      const { containerId } = made;
      if (parameters.start) {
        begin("start");
        await runStep(startRoute, { ctx, gateway, registry, params: { containerId } });
      }
      // From here on, it stays.
      begin("wait");
      noteTarget(ctx.request, "container", containerId);
      const { name = "", namespace = "" } = metadata;
      const answer = { podSandboxId, containerId, namespace, name, pulled, started: parameters.start };
      return parameters.wait ? { ...answer, ...(await waitAndRemove(ctx, bound, answer)) } : answer;
    } catch (error) {
      if (step === "wait") throw error;
      throw await undone(ctx, { step, made, error: ending.reason ?? error });
    }
  }

  /** Removes what was made. Returns the error for the caller. */
  async function undone(
    ctx: Context,
    { step, made, error }: { readonly step: StepName; readonly made: Made; readonly error: unknown },
  ): Promise<unknown> {
    const left = made.asked === undefined ? undefined : await removeMade(gateway.runtime, made, error);
    if (left === undefined) {
      const what = made.asked === undefined ? "nothing was made" : "what it had made was removed";
      return withStep(error, step, `the run failed at step "${step}", and ${what}`);
    }
    const { podSandboxId, containerId } = made;
    const pod = podSandboxId === undefined ? "a pod may be left" : `pod "${podSandboxId}" is left`;
    const text = `the run failed at step "${step}", and ${pod}, because it could not be removed: ${left.why}`;
    const told = withStep(error, step, text, { podSandboxId, containerId });
    // Nobody is there to read it.
    if (ctx.reply.raw.destroyed) gateway.report(ctx.request, new GatewayError("runtime_error", text));
    return told;
  }

  /** Returns whether it was pulled. @throws {GatewayError} */
  async function pullImage(
    ctx: Context,
    { image, pull: policy, steps }: Bound,
    begun: (pull: Pull) => void,
  ): Promise<boolean> {
    if (policy !== "always") {
      const wanted = { image: await findableReference(gateway.runtime, image) };
      const { image: found } = await call(
        gateway.runtime,
        "ImageService/ImageStatus",
        { image: wanted },
        { onCancel: ctx.onCancel },
      );
      if (found) return false;
    }
    if (steps.pull === undefined)
      throw new GatewayError(
        "image_not_found",
        `Image ${JSON.stringify(image)} is not on this node, and "pull" is "never": with "missing", it is pulled`,
        { errors: [{ pointer: "/image", detail: "is not on this node" }] },
      );
    await steps.pull.carryOut(async (step, outgoing) => {
      const visit = await joinPull(step, outgoing, gateway);
      begun(visit.pull);
      return await visit.reply;
    });
    return true;
  }

  async function waitAndRemove(
    ctx: Context,
    { parameters, ending }: Bound,
    { podSandboxId, containerId }: Pick<RunAnswer, "podSandboxId" | "containerId">,
  ): Promise<Pick<RunAnswer, "result" | "removed" | "removalProblem">> {
    const { timeout, encoding, remove } = parameters;
    const { signal } = ctx;
    let result: RunAnswer["result"];
    let failure: unknown;
    try {
      const room = await gateway.budget.expect(accountOf(ctx.caller), maxOutputBytes, {
        waitMs: timeout * 1000 + roomWaitMs,
        onCancel: ctx.onCancel,
      });
      whenClosed(ctx.reply, room.release);
      result = await waitForResult(gateway, { containerId, timeoutMs: timeout * 1000, encoding, signal });
      room.force(result.stdout.length + result.stderr.length);
    } catch (error) {
      failure = ending.reason ?? error;
    }
    const problem = remove ? await whyNotRemoved(podSandboxId) : undefined;
    if (result === undefined) {
      const isGone = remove && problem === undefined;
      const goesOn = isGone ? "the pod was removed" : `pod "${podSandboxId}" is still there`;
      const text = `the container was started, but the wait for its end failed, and ${goesOn}`;
      throw withStep(failure, "wait", text, isGone ? {} : { podSandboxId, containerId });
    }
    if (!remove) return { result };
    return { result, removed: problem === undefined, removalProblem: problem };
  }

  async function whyNotRemoved(podSandboxId: string): Promise<string | undefined> {
    try {
      await removePod(gateway.runtime, podSandboxId);
      return undefined;
    } catch (error) {
      if (error instanceof GatewayError) return error.message;
      throw error;
    }
  }

  /** Before the image is pulled: the step that makes the pod asks again. @throws {GatewayError} name_reserved */
  async function requireFreeName({ steps, bodies }: Bound): Promise<void> {
    const { uid } = (bodies.pod.metadata ?? {}) as { readonly uid?: string };
    const { namespace, name } = configOf(steps.pod).metadata ?? {};
    if (!uid && name && namespace) await gateway.names.requireFree(gateway.runtime, { namespace, name });
  }
}

/** The steps of a run, in their order. */
type StepName = "pull" | "pod" | "container" | "start" | "wait";

/** A run under way. */
interface Performing {
  /** Settles if a pull begins. */
  readonly pull: Promise<Pull>;
  readonly answer: Promise<RunAnswer>;
  readonly ended: Promise<undefined>;
}

/** How long a command of another request may hold the room for the output, in milliseconds. */
const roomWaitMs = 5000;

function checkParameters({ start, wait, remove }: ParametersOf<"run">): void {
  if (wait && !start)
    throw invalid([{ parameter: "wait", detail: "needs a container that starts: leave out start=false" }]);
  if (remove && !wait)
    throw invalid([{ parameter: "remove", detail: "needs wait=true: it removes what has ended" }]);
}

/** Everything that the run needs, by what it is needed for. */
function needsOf({ image, pull, parameters, steps }: Bound): readonly {
  readonly grant: Grant;
  readonly resource: ScopedPod | string;
  readonly why?: string;
}[] {
  const { metadata = {}, labels = {} } = configOf(steps.pod);
  const { namespace = "default", name = "" } = metadata;
  const pod = {
    namespace: namespace === "" ? "default" : namespace,
    name,
    labels: { ...(labels as ScopedPod["labels"]), [managedLabel]: "true" },
  };
  const needs: { grant: Grant; resource: ScopedPod | string; why?: string }[] = [
    { grant: "run", resource: pod },
  ];
  if (pull !== "never")
    needs.push({
      grant: "pull",
      resource: normalReference(image),
      why: `for "pull": "${pull}" (not for "never")`,
    });
  if (parameters.wait) needs.push({ grant: "logs", resource: pod, why: 'for "wait"' });
  if (parameters.remove) needs.push({ grant: "remove", resource: pod, why: 'for "remove"' });
  return needs;
}

const configOf = ({ message }: RouteStep): Input<PodSandboxConfig> =>
  (message as { readonly config?: Input<PodSandboxConfig> }).config ?? {};

const ownNamespaces = "/container/linux/securityContext/namespaceOptions";

/** Where in the body of the run a pointer into the body of a part leads. */
function placeOf(plan: RunPlan, part: RunPart): (pointer: string) => string {
  const ofPod = "/sandboxConfig";
  return (pointer) => {
    if (part !== "container") return plan.locate(part, pointer);
    if (pointer.startsWith(`${ofPod}/`)) return plan.locate("pod", pointer.slice(ofPod.length));
    const place = plan.locate(part, pointer);
    // A container that says nothing about its namespaces has those of its pod.
    return place.startsWith(ownNamespaces) && !plan.hasOwnNamespaces ? plan.locate("pod", pointer) : place;
  };
}

/** The pod's config is judged with the container's once more. */
function addRefusal(refusals: Refusal[], added: Refusal): void {
  const isKnown = refusals.some(
    ({ pointer, detail }) => pointer === added.pointer && detail === added.detail,
  );
  if (!isKnown) refusals.push(added);
}

/** Does all of them, and then fails with what is wrong with any: the mistakes of one code at once. */
async function allOf(works: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const work of works) await work().catch((error: unknown) => failures.push(error));
  const [first] = failures;
  if (first === undefined) return;
  if (!(first instanceof GatewayError)) throw first;
  const alike = failures.filter(
    (one): one is GatewayError => one instanceof GatewayError && one.code === first.code,
  );
  const errors = alike.flatMap((one) => one.errors);
  const { code, message, members, headers, grpcCode } = first;
  throw new GatewayError(code, message, { cause: first, errors, members, headers, grpcCode });
}

/** Adds to an error the step that failed, and what became of the run. Leaves what is no problem as it is. */
function withStep(
  error: unknown,
  step: StepName,
  text: string,
  left: { readonly podSandboxId?: string | undefined; readonly containerId?: string | undefined } = {},
): unknown {
  if (!(error instanceof GatewayError)) return error;
  const { code, message, errors, members, headers, grpcCode } = error;
  const ids = Object.fromEntries(Object.entries(left).filter(([, id]) => id !== undefined));
  return new GatewayError(code, `${message} (${text})`, {
    cause: error,
    errors,
    members: { ...members, step, ...ids },
    headers,
    grpcCode,
  });
}
