/** Routes answered by one RPC: how they bind, call and answer. For the order of the stages, see `stages.ts`. */

import type { FastifyReply } from "fastify";
import { decodeReply, fieldAt, writeReply } from "../cri/codec.ts";
import { deadlineOf } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import { methods } from "../gen/methods.ts";
import { explainAbsence } from "../inventory/name-hints.ts";
import { accountOf } from "../limits/caller-limiter.ts";
import { mediaTypesOf, type UnaryRoute } from "../routes/define.ts";
import { secretsIn, withoutSecrets } from "../runtimes/secrets.ts";
import { pathOf } from "../server/problems.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { version } from "../version.ts";
import type { BufferPool } from "../wire/buffer-pool.ts";
import { scanItems } from "../wire/scan.ts";
import type { Written } from "../wire/write-json.ts";
import { type Binder, createBinder } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { sendExecOutput } from "./exec-output.ts";
import {
  encodeBound,
  type Gateway,
  located,
  locatedInRequest,
  warnOfUnknown,
  whenClosed,
} from "./gateway.ts";
import { locationOf } from "./location.ts";
import { withNamesake } from "./name-claims.ts";
import { negotiate } from "./negotiate.ts";
import { writeWithin } from "./output-budget.ts";
import { pullCall } from "./pull-call.ts";
import { withPullHint } from "./pull-hint.ts";
import { RuntimeRequest } from "./runtime-request.ts";
import type { Failure, RouteKind } from "./stages.ts";

/**
 * Expected output of a running command. By default this permits 32 at a time per caller; the maximum reply, 16 MiB,
 * would permit 8.
 */
const unknownOutputBytes = 4 * 1024 * 1024;
/** Most commands end soon and free their room. */
const defaultRoomWaitMs = 5000;

type Context = RequestContext<UnaryRoute>;
type Send = (reply: FastifyReply) => unknown;

export interface UnaryOptions {
  /** Default: that of the route. */
  readonly binder?: Binder;
  /** As a step of another route, it does not answer by itself. */
  readonly isStep?: boolean;
}

/** `call` reads the reply and returns a function that sends it. */
export function unaryKind(
  route: UnaryRoute,
  gateway: Gateway,
  registry: SessionRegistry,
  { binder = createBinder(route), isStep = false }: UnaryOptions = {},
): RouteKind<UnaryRoute, RuntimeRequest, Send> {
  const { rpc } = route;
  const mediaTypes = mediaTypesOf(route);
  const call = callOf();

  function callOf(): Call {
    if (route.progress === "pull") return pullCall({ gateway, registry, sendReply, explain: explainCalled });
    if (route.renderer === "execOutput") return execCall(gateway);
    return route.http.startsWith("GET ") ? readCall(route, gateway) : changeCall(route, gateway);
  }

  function sendReply(reply: FastifyReply, wire: Buffer): unknown {
    return sendWritten(reply.code(route.success), writeReply(rpc, wire, gateway.pool));
  }

  /** What the failure of a call means to the caller. */
  async function explainCalled(ctx: Context, error: unknown): Promise<unknown> {
    return await explain(ctx, { error, isCalled: true });
  }

  async function explain(
    { bound, caller, request, target, outgoing }: Context,
    { error, isCalled }: Failure,
  ): Promise<unknown> {
    let meaning = located(error, bound.message, binder);
    if (isCalled) {
      // Its pointers are still into the RPC's request.
      if (meaning === error) meaning = locatedInRequest(error, bound.message, binder);
      if (target !== undefined)
        meaning = await explainAbsence(gateway.runtime, target.kind, target.id, meaning);
      if (meaning instanceof GatewayError && meaning.code === "name_reserved" && outgoing !== undefined)
        meaning = await withNamesake(meaning, route, { runtime: gateway.runtime, wire: outgoing.wire });
      meaning = withPullHint(meaning, route.id, { message: bound.message, caller, request });
    }
    return meaning instanceof GatewayError ? withoutSecrets(meaning, secretsIn(rpc, bound.message)) : meaning;
  }

  return {
    binder,
    bind(ctx) {
      // A 204 has no content to negotiate, and an exec cannot be undone to refuse its reply.
      if (route.success !== 204 && !isStep) negotiate(ctx.request.headers.accept, mediaTypes);
      ctx.bound = binder.bind(ctx.parts);
      const { message, unknown } = ctx.bound;
      const wire = encodeBound(rpc, message, binder, unknown);
      // Without a body, all names are canonical.
      const outgoing = new RuntimeRequest(rpc, wire, route.body === undefined ? message : undefined);
      ctx.outgoing = outgoing;
      if (unknown !== undefined) warnOfUnknown(ctx.reply, unknown, binder);
      return outgoing;
    },
    call,
    answer: ({ reply }, send) => send(reply),
    explain,
  };
}

type Call = (ctx: Context, outgoing: RuntimeRequest) => Promise<Send>;

/** The options of the call. A grace period without a CRI field comes from the gateway's own parameter. */
function optionsOf({ bound, caller, onCancel }: Context, { rpc, message }: RuntimeRequest) {
  const { timeout } = bound.gatewayParams;
  const graceSeconds = typeof timeout === "number" ? timeout : undefined;
  return { deadlineMs: deadlineOf(rpc, message), graceSeconds, onCancel, account: accountOf(caller) };
}

/** Sends the request of a route. @returns The encoded reply. @throws {GatewayError} As `Runtime.call`. */
export const callRuntime = (
  ctx: Context,
  outgoing: RuntimeRequest,
  { runtime }: Pick<Gateway, "runtime">,
): Promise<Buffer> => runtime.call(outgoing.rpc, outgoing.wire, optionsOf(ctx, outgoing));

/** A command. Its output size is known only after it has run, and then it must be sent. */
function execCall({ runtime, budget, roomWaitMs: waitMs = defaultRoomWaitMs }: Gateway): Call {
  return async (ctx, outgoing) => {
    const { onCancel } = ctx;
    const room = await budget.expect(accountOf(ctx.caller), unknownOutputBytes, { waitMs, onCancel });
    whenClosed(ctx.reply, room.release);
    const result = await callRuntime(ctx, outgoing, { runtime });
    room.force(result.length);
    const encoding = ctx.bound.gatewayParams.encoding === "base64" ? "base64" : "utf8";
    return (reply) => sendExecOutput(reply, result, encoding);
  };
}

/** A change, answered with an empty body or an id. */
function changeCall(route: UnaryRoute, { runtime, pool }: Gateway): Call {
  const { success } = route;
  const requireField = presenceOf(route);
  return async (ctx, outgoing) => {
    const result = await callRuntime(ctx, outgoing, { runtime });
    if (success === 204) return (reply) => reply.code(204).send();
    requireField?.(result, ctx.request.url);
    return sendResult(route, result, pool);
  };
}

/** Apart from the function that has the request, which must not be kept with what repetitions of it need. */
function sendResult({ rpc, location, success }: UnaryRoute, result: Buffer, pool: BufferPool): Send {
  return (reply) => {
    if (location !== undefined) reply.header("location", locationOf(location, decodeReply(rpc, result)));
    return sendWritten(reply.code(success), writeReply(rpc, result, pool));
  };
}

/** A read. Concurrent identical reads of a caller share one call. */
function readCall(route: UnaryRoute, { runtime, share, budget, pool }: Gateway): Call {
  const { rpc, responseHeader } = route;
  const requireField = presenceOf(route);
  return async (ctx, outgoing) => {
    const options = optionsOf(ctx, outgoing);
    const { deadlineMs } = options;
    const { wire } = outgoing;
    const key = `${JSON.stringify([rpc, ctx.caller.name])}${wire.toString("latin1")}`;
    const shared = await share({ key, deadlineMs, onCancel: ctx.onCancel }, async (onCancel) => {
      const written = await writeWithin(budget, accountOf(ctx.caller), async () => {
        const result = await runtime.call(rpc, wire, { ...options, onCancel });
        requireField?.(result, ctx.request.url);
        return writeReply(rpc, result, pool);
      });
      return { value: written.bytes, release: written.release };
    });
    return (reply) => {
      if (responseHeader === "version") reply.header("crest-version", version);
      return sendWritten(reply, { bytes: shared.value, release: shared.release });
    };
  };
}

/** Text that `release` returns to the pool. */
export type Sendable = Pick<Written, "bytes" | "release">;

/** Sends pooled text. Releases it only after the response has closed: until then Node may still be sending it. */
export function sendWritten(reply: FastifyReply, { bytes, release }: Sendable): FastifyReply {
  whenClosed(reply, release);
  return reply.raw.destroyed ? reply.hijack() : reply.type("application/json").send(bytes);
}

/** Checks a reply for what a route asks for. Undefined where every reply has it. */
function presenceOf({ rpc, notFoundUnless }: UnaryRoute): ((wire: Buffer, url: string) => void) | undefined {
  if (notFoundUnless === undefined) return undefined;
  const { number } = fieldAt(methods[rpc].response, notFoundUnless);
  return (wire, url) => {
    if (scanItems(wire, number).length === 0)
      throw new GatewayError("not_found", `Cannot find ${pathOf(url)}: the runtime does not have it`);
  };
}
