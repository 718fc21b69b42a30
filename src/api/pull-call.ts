/**
 * How a route calls PullImage: through the registry of pulls, so that callers with the same request share one pull. A
 * JSON answer waits for it; NDJSON and server-sent events report its progress first.
 */
import type { FastifyReply } from "fastify";
import { normalReference } from "../access/reference.ts";
import { CallCancelled } from "../cri/channel.ts";
import { decodeReply, type Input } from "../cri/codec.ts";
import { deadlineOf } from "../cri/rpc-rules.ts";
import type { Methods } from "../gen/methods.ts";
import { endOrTimeout, follow } from "../pulls/follow.ts";
import type { Visit } from "../pulls/pull-registry.ts";
import type { PullItem } from "../routes/answers.ts";
import { mediaTypesOf, type UnaryRoute } from "../routes/define.ts";
import { isRuntime } from "../runtimes/identity.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { endingOf, itemsOverHttp } from "./item-stream.ts";
import { negotiate } from "./negotiate.ts";
import { pullAnswer } from "./pull-answer.ts";
import type { RuntimeRequest } from "./runtime-request.ts";
import { type StreamFormat, streamFormat } from "./stream-formats.ts";

/** Progress has no text form. */
const noLine = (): undefined => undefined;
const ndjson = streamFormat("ndjson", noLine);
const sse = streamFormat("sse", noLine);

export const progressFormats: { readonly [mediaType: string]: StreamFormat } = {
  [ndjson.mediaType]: ndjson,
  [sse.mediaType]: sse,
};

/**
 * How long a response with progress may wait, in milliseconds, before it begins. A pull that fails earlier is answered
 * with the status of its problem.
 */
export const firstItemMs = 250;

export interface PullCallOptions {
  readonly gateway: Gateway;
  readonly registry: SessionRegistry;
  /** Writes the reply of a pull as JSON. */
  sendReply(reply: FastifyReply, wire: Buffer): unknown;
  /** What a failure means to this caller. */
  explain(ctx: RequestContext<UnaryRoute>, error: unknown): Promise<unknown>;
}

/** Starts the pull that a request asks for, or joins it. Leaves it when the client disconnects. */
export async function joinPull(
  ctx: RequestContext<UnaryRoute>,
  { rpc, message, wire }: RuntimeRequest,
  { runtime, pulls, limits }: Pick<Gateway, "runtime" | "pulls" | "limits">,
): Promise<Visit> {
  const pulled: Input<Methods["ImageService/PullImage"]["request"]> = message;
  // CRI-O looks up a short name in registries.conf.
  const hasShortNames = await isRuntime(runtime, "cri-o").catch(() => true);
  const visit = pulls.join({
    message: pulled,
    wire,
    caller: ctx.caller.name,
    reference: normalReference(pulled.image?.image ?? ""),
    isUnambiguous: !hasShortNames,
    detach: ctx.bound.gatewayParams.detach === true,
    deadlineMs: deadlineOf(rpc, message),
    take: () => limits.take("pulls", ctx.caller),
  });
  ctx.onCancel(visit.leave);
  return visit;
}

/** Returns the call of a route with `progress: "pull"`. */
export function pullCall({ gateway, registry, sendReply, explain }: PullCallOptions) {
  return async (
    ctx: RequestContext<UnaryRoute>,
    outgoing: RuntimeRequest,
  ): Promise<(reply: FastifyReply) => unknown> => {
    const format = progressFormats[negotiate(ctx.request.headers.accept, mediaTypesOf(ctx.route))];
    if (format === undefined) {
      const { reply } = await joinPull(ctx, outgoing, gateway);
      const wire = await reply;
      return (response) => sendReply(response, wire);
    }
    const ending = endingOf(ctx);
    const open = async (): Promise<AsyncIterable<PullItem>> => {
      const visit = await joinPull(ctx, outgoing, gateway);
      await endOrTimeout(visit.pull, firstItemMs, ctx.signal);
      // Fails here if the pull has failed.
      if (visit.pull.endedAt !== undefined || ctx.signal.aborted) await visit.reply;
      return items(ctx, visit);
    };
    const { send } = await itemsOverHttp(ctx, { gateway, registry, format, ending, open });
    return send;
  };

  async function* items(ctx: RequestContext<UnaryRoute>, { pull, reply }: Visit): AsyncGenerator<PullItem> {
    for await (const now of follow(pull, { signal: ctx.signal })) {
      // The last item says why it failed.
      if (now.error === undefined) yield { progress: pullAnswer(now) };
    }
    if (ctx.signal.aborted) throw new CallCancelled("the client has left");
    let wire: Buffer;
    try {
      wire = await reply;
    } catch (error) {
      throw await explain(ctx, error);
    }
    yield { result: decodeReply("ImageService/PullImage", wire) };
  }
}
