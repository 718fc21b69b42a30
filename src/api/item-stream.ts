/** Sends a sequence of items as the body of a response, and tells the reader if the source fails or the gateway stops. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { GatewayError } from "../errors.ts";
import { problemOf } from "../server/problems.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { withHeartbeat } from "./heartbeat.ts";
import type { StreamFormat } from "./stream-formats.ts";

/** Ends a stream from our side, as opposed to a client that disconnects. */
export interface Ending {
  /** Cancels everything registered with `ctx.onCancel`. Keeps the first reason. */
  readonly end: (reason: Error) => void;
  readonly reason: Error | undefined;
}

/** Takes over `ctx.onCancel`, so that its functions are also called when the stream is ended from our side. */
export function endingOf(ctx: RequestContext): Ending {
  const whenGone = ctx.onCancel;
  const cancels = new Set<() => void>();
  let reason: Error | undefined;
  ctx.onCancel = (cancel) => {
    cancels.add(cancel);
    whenGone(cancel);
  };
  return {
    get reason() {
      return reason;
    },
    end(why) {
      reason ??= why;
      for (const cancel of cancels) cancel();
    },
  };
}

export interface ItemStream<Item extends object> {
  readonly gateway: Pick<Gateway, "report">;
  /** The stream takes one of its places. */
  readonly registry: SessionRegistry;
  readonly format: StreamFormat;
  readonly ending: Ending;
  /** Opens the items. A failure is an ordinary problem response. */
  open(): Promise<AsyncIterable<Item>>;
  /** The `id` of a server-sent event. */
  readonly idOf?: ((item: Item) => string | undefined) | undefined;
}

/** Returns what sends the items as the response body. Keeps its place until the response has closed. */
export async function itemsOverHttp<Item extends object>(
  ctx: RequestContext,
  stream: ItemStream<Item>,
): Promise<{ readonly send: (reply: FastifyReply) => FastifyReply }> {
  const { registry, format, ending, open } = stream;
  const place = registry.reserve(ending.end);
  let items: AsyncIterable<Item>;
  try {
    items = await open();
  } catch (error) {
    place.release();
    throw ending.reason ?? error;
  }
  const { raw } = ctx.reply;
  const ended = new Promise<void>((resolve) => {
    if (raw.destroyed) resolve();
    else raw.once("close", resolve);
  });
  place.hold({ ended, end: (_code, reason) => ending.end(new GatewayError("shutting_down", reason)) });
  const body = Readable.from(textOf(ctx, items, stream), { objectMode: false });
  return {
    // Keeps proxies from buffering the items.
    send: (reply) => reply.type(format.mediaType).header("x-accel-buffering", "no").send(body),
  };
}

async function* textOf<Item extends object>(
  ctx: RequestContext,
  items: AsyncIterable<Item>,
  { gateway, format, ending, idOf }: ItemStream<Item>,
): AsyncGenerator<string> {
  try {
    for await (const item of withHeartbeat(items, format.heartbeat)) {
      const text = typeof item === "string" ? item : format.item(item, idOf?.(item));
      if (text !== "") yield text;
    }
  } catch (error) {
    if (!ctx.reply.raw.destroyed) yield format.error(problemFor(gateway, ctx, ending.reason ?? error));
  }
}

/** The problem for an error that comes too late for a status line. */
export function problemFor(gateway: Pick<Gateway, "report">, ctx: RequestContext, error: unknown): object {
  if (!(error instanceof GatewayError) || error.status >= 500) gateway.report(ctx.request, error);
  return problemOf(error, { requestId: ctx.id });
}
