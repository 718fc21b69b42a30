/**
 * The life of a request for one RPC, from top to bottom: bind, what single fields need, encode, the id,
 * whose pod it is, complete, call, answer. (Authentication and the route's own grant came before the body
 * was read.) What a route needs is compiled once.
 */
import type { FastifyReply } from "fastify";
import {
  authorize,
  type Caller,
  canChangeUnmanaged,
  requireGrant,
  requireManaged,
} from "../auth/authorize.ts";
import { normalReference } from "../auth/reference.ts";
import { decodeReply, decodeRequest, encodeRequest, hasField, writeReply } from "../cri/codec.ts";
import type { Kind } from "../cri/inventory.ts";
import { deadlineOf } from "../cri/methods.ts";
import { perform, type Subject } from "../cri/perform.ts";
import { managedLabel } from "../cri/pod-config.ts";
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
  partsOf,
  whenClosed,
  whenGone,
} from "./gateway.ts";
import { negotiate } from "./negotiate.ts";
import { writeWithin } from "./output-budget.ts";
import { pathOf } from "./problems.ts";

/** Grants that change a pod or what is in it, so that it matters whose pod it is. */
const changing: ReadonlySet<string> = new Set<Grant>([
  "run",
  "stop",
  "remove",
  "exec",
  "forward",
  "checkpoint",
]);
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
    for (const name of bound.given) {
      const grant = route.needs?.[name];
      if (grant) requireGrant(grant, caller, name);
    }
    if (route.allow === "pull") authorize(route, caller, pulledReference(bound));
    let wire = encodeBound(rpc, bound.message, binder);
    if (target && (await resolveTarget(bound, caller))) wire = encodeBound(rpc, bound.message, binder);
    if (prepare.handles(rpc)) wire = await complete(wire, bound);
    const deadlineMs = deadlineOf(rpc, bound.message);
    const onCancel = whenGone(reply);
    const subject = bound.message as Subject;
    if (route.writes === "execOutput") {
      // The size of its output shows when the command has run, and then it must be sent.
      const room = await budget.expect(caller.name, unknownOutputBytes, { waitMs, onCancel });
      whenClosed(reply, room.release);
      const answer = await perform(runtime, rpc, wire, { subject, options: { deadlineMs, onCancel } });
      room.force(answer.length);
      return sendExecOutput(reply, answer, bound.own.encoding === "base64" ? "base64" : "utf8");
    }
    if (!isRead) {
      const answer = await perform(runtime, rpc, wire, { subject, options: { deadlineMs, onCancel } });
      return send(reply, answer);
    }

    const key = `${rpc} ${JSON.stringify(caller.name)} ${wire.toString("latin1")}`;
    const shared = await share({ key, deadlineMs, onCancel }, async (whenAllGone) => {
      const written = await writeWithin(budget, caller.name, async () => {
        const answer = await perform(runtime, rpc, wire, {
          subject,
          options: { deadlineMs, onCancel: whenAllGone },
        });
        requireAnswer(route, answer, request.url);
        return writeReply(rpc, answer, pool);
      });
      return { value: written.bytes, release: written.release };
    });
    if (route.tells === "version") reply.header("crest-version", version);
    return sendWritten(reply, { bytes: shared.value, release: shared.release });
  };

  async function complete(wire: Buffer, { message }: Bound): Promise<Buffer> {
    try {
      return encodeRequest(rpc, await prepare.complete(rpc, decodeRequest(rpc, wire)));
    } catch (error) {
      throw located(error, message, binder);
    }
  }

  /** Puts the full id in place; whether that changed the request. */
  async function resolveTarget({ message }: Bound, caller: Caller): Promise<boolean> {
    if (!target) return false;
    const given = String(message[target.field]);
    const id = await inventory.resolve(target.kind, given, { mustExist: mustExist.has(route.allow) });
    if (changing.has(route.allow) && !canChangeUnmanaged(caller)) {
      const pod = await inventory.podOf(target.kind, id);
      requireManaged({ ...pod, managed: pod.labels[managedLabel] === "true" }, caller);
    }
    message[target.field] = id;
    return id !== given;
  }
}

/** Which path parameter names a pod or a container, and the request field that it sets. */
function targetOf(route: UnaryRoute): { readonly kind: Kind; readonly field: string } | undefined {
  const { podSandboxId, containerId } = route.path ?? {};
  if (podSandboxId !== undefined) return { kind: "pod", field: podSandboxId };
  if (containerId !== undefined) return { kind: "container", field: containerId };
  return undefined;
}

/** The image of a PullImage body, which may be a plain string, in the form that prefixes are held against. */
function pulledReference({ message }: Bound): string | undefined {
  const image = message.image as string | { readonly image?: unknown } | undefined | null;
  const reference = typeof image === "object" && image !== null ? image.image : image;
  return typeof reference === "string" && reference !== "" ? normalReference(reference) : undefined;
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
