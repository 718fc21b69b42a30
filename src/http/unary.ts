/**
 * The life of a request for one RPC, from top to bottom: bind, what single fields need, encode, the id,
 * whose pod it is, complete, call, answer. (Authentication and the route's own grant came before the body
 * was read.) What a route needs is compiled once.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  authorize,
  type Caller,
  canChangeUnmanaged,
  changesPods,
  requireManaged,
} from "../auth/authorize.ts";
import { decodeReply, decodeRequest, encodeRequest, hasField, writeReply } from "../cri/codec.ts";
import type { Kind } from "../cri/inventory.ts";
import { deadlineOf } from "../cri/methods.ts";
import { explainAbsence } from "../cri/name-hints.ts";
import { perform, type Subject } from "../cri/perform.ts";
import { managedLabel } from "../cri/pod-config.ts";
import { secretsIn, withoutSecrets } from "../cri/secrets.ts";
import { GatewayError } from "../errors.ts";
import type { Grant } from "../grants.ts";
import type { UnaryRoute } from "../routes/define.ts";
import { version } from "../version.ts";
import type { Written } from "../wire/write-json.ts";
import { type Bound, createBinder } from "./bind.ts";
import { sendExecOutput } from "./exec-output.ts";
import {
  encodeBound,
  type Gateway,
  type Handler,
  located,
  locatedInRequest,
  partsOf,
  warnOfUnknown,
  whenClosed,
  whenGone,
} from "./gateway.ts";
import { negotiate } from "./negotiate.ts";
import { writeWithin } from "./output-budget.ts";
import { pathOf } from "./problems.ts";
import { withPullHint } from "./pull-hint.ts";
import { authorizePull } from "./pull-request.ts";

/**
 * Expected of a command that runs: 32 run at a time for each caller, by default. A reply may have 16 MiB; to
 * expect so much of each would permit 8.
 */
const unknownOutputBytes = 4 * 1024 * 1024;
/** Most commands end soon, and make room for the next. */
const defaultRoomWaitMs = 5000;
/** Runtimes answer OK to these for what is not there; an absence is 404 all the same. */
const mustExist: ReadonlySet<string> = new Set<Grant>(["stop", "remove"]);

export function unaryHandler(route: UnaryRoute, gateway: Gateway): Handler {
  const { rpc } = route;
  const { runtime, inventory, prepare, share, budget, pool } = gateway;
  const binder = createBinder(route);
  const target = targetOf(route);
  const send = senderOf(route, gateway);
  const waitMs = gateway.roomWaitMs ?? defaultRoomWaitMs;
  const isRead = route.http.startsWith("GET ");

  return async (request, reply) => {
    // A 204 has nothing to negotiate, and an exec's answer stands behind a call that cannot be undone.
    if (route.success !== 204) negotiate(request.headers.accept, ["application/json"]);
    const caller = gateway.callerOf(request);
    const bound = binder.bind(partsOf(request));
    try {
      return await authorizeAndAnswer(request, reply, { caller, bound });
    } catch (error) {
      throw withoutSecrets(error, secretsIn(rpc, bound.message));
    }
  };

  async function authorizeAndAnswer(
    request: FastifyRequest,
    reply: FastifyReply,
    { caller, bound }: { readonly caller: Caller; readonly bound: Bound },
  ): Promise<unknown> {
    // Again, where the body says more of what is needed.
    if (bound.given.length > 0) authorize(route, caller, { fields: bound.given });
    let wire = encodeBound(rpc, bound.message, binder, bound.unknown);
    warnOfUnknown(reply, bound.unknown, binder);
    if (rpc === "ImageService/PullImage") wire = authorizePull(wire, caller);
    if (target && (await resolveTarget(bound, caller)))
      wire = encodeBound(rpc, bound.message, binder, bound.unknown);
    let message: { readonly [field: string]: unknown } = bound.message;
    if (prepare.handles(rpc)) ({ wire, message } = await complete(wire, bound));
    try {
      return await answer(request, reply, { caller, bound, wire, message });
    } catch (error) {
      throw await explained(error, { bound, caller, request });
    }
  }

  async function answer(request: FastifyRequest, reply: FastifyReply, call: Call): Promise<FastifyReply> {
    const { caller, bound, wire, message } = call;
    const deadlineMs = deadlineOf(rpc, message);
    const onCancel = whenGone(reply);
    // With the timeout that the runtime is told, where the caller gave none.
    const { timeout = bound.own.timeout } = message;
    const subject = { ...bound.own, ...bound.message, timeout } as Subject;
    if (route.writes === "execOutput") {
      // The size of its output shows when the command has run, and then it must be sent.
      const room = await budget.expect(caller.name, unknownOutputBytes, { waitMs, onCancel });
      whenClosed(reply, room.release);
      const result = await perform(runtime, rpc, wire, { subject, options: { deadlineMs, onCancel } });
      room.force(result.length);
      return sendExecOutput(reply, result, bound.own.encoding === "base64" ? "base64" : "utf8");
    }
    if (!isRead) {
      const result = await perform(runtime, rpc, wire, { subject, options: { deadlineMs, onCancel } });
      return send(reply, result);
    }

    const key = `${rpc} ${JSON.stringify(caller.name)} ${wire.toString("latin1")}`;
    const shared = await share({ key, deadlineMs, onCancel }, async (whenAllGone) => {
      const written = await writeWithin(budget, caller.name, async () => {
        const result = await perform(runtime, rpc, wire, {
          subject,
          options: { deadlineMs, onCancel: whenAllGone },
        });
        requireAnswer(route, result, request.url);
        return writeReply(rpc, result, pool);
      });
      return { value: written.bytes, release: written.release };
    });
    if (route.tells === "version") reply.header("crest-version", version);
    return sendWritten(reply, { bytes: shared.value, release: shared.release });
  }

  /** What is not there, in the words of the one who asked for it. */
  async function explained(
    error: unknown,
    { bound: { message }, caller, request }: { bound: Bound; caller: Caller; request: FastifyRequest },
  ): Promise<unknown> {
    const told = target
      ? await explainAbsence(runtime, target.kind, String(message[target.field]), error)
      : error;
    return withPullHint(locatedInRequest(told, binder), route.id, { message, caller, request });
  }

  async function complete(wire: Buffer, { message }: Bound): Promise<Completed> {
    try {
      const completed = await prepare.complete(rpc, decodeRequest(rpc, wire));
      return { wire: encodeRequest(rpc, completed), message: { ...completed } };
    } catch (error) {
      throw located(error, message, binder);
    }
  }

  /** Puts the full id in place; whether that changed the request. */
  async function resolveTarget({ message }: Bound, caller: Caller): Promise<boolean> {
    if (!target) return false;
    const given = String(message[target.field]);
    const id = await inventory.resolve(target.kind, given, { mustExist: mustExist.has(route.allow) });
    if (changesPods(route) && !canChangeUnmanaged(caller)) {
      const pod = await inventory.podOf(target.kind, id);
      requireManaged({ ...pod, managed: pod.labels[managedLabel] === "true" }, caller);
    }
    message[target.field] = id;
    return id !== given;
  }
}

/** A request as it goes out. */
interface Completed {
  readonly wire: Buffer;
  readonly message: { readonly [field: string]: unknown };
}

/** Which path parameter names a pod or a container, and the request field that it sets. */
function targetOf(route: UnaryRoute): { readonly kind: Kind; readonly field: string } | undefined {
  const { podSandboxId, containerId } = route.path ?? {};
  if (podSandboxId !== undefined) return { kind: "pod", field: podSandboxId };
  if (containerId !== undefined) return { kind: "container", field: containerId };
  return undefined;
}

/** A request that may go out, and for whom. */
interface Call {
  readonly caller: Caller;
  readonly bound: Bound;
  readonly wire: Buffer;
  /** What `wire` says. */
  readonly message: { readonly [field: string]: unknown };
}

type Send = (reply: FastifyReply, wire: Buffer) => FastifyReply;

/** How the answer of a mutation is written: nothing, or an id. */
function senderOf(route: UnaryRoute, { pool }: Gateway): Send {
  const { rpc, location, success } = route;
  if (success === 204) return (reply) => reply.code(204).send();
  return (reply, wire) => {
    requireAnswer(route, wire, reply.request.url);
    if (location !== undefined) reply.header("location", locationOf(location, decodeReply(rpc, wire)));
    return sendWritten(reply.code(success), writeReply(rpc, wire, pool));
  };
}

/** Text whose memory is returned by `release`. */
export type Sendable = Pick<Written, "bytes" | "release">;

/** Sends pooled text. Its memory goes back when the response has closed and never before: Node may still be sending it. */
export function sendWritten(reply: FastifyReply, { bytes, release }: Sendable): FastifyReply {
  whenClosed(reply, release);
  return reply.raw.destroyed ? reply.hijack() : reply.type("application/json").send(bytes);
}

function requireAnswer({ rpc, answer }: UnaryRoute, wire: Buffer, url: string): void {
  if (answer === undefined || hasField(rpc, wire, answer)) return;
  throw new GatewayError("not_found", `Cannot find ${pathOf(url)}: the runtime has none`);
}

/** `/v1/pods/{podSandboxId}` with the field of the answer in its place. */
function locationOf(template: string, answer: object): string {
  const fields: { readonly [name: string]: unknown } = { ...answer };
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(fields[name])));
}
