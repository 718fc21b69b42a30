/** Sends a sequence of items as the body of a response, and tells the reader if the source fails or the gateway stops. */
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { FastifyReply } from "fastify";
import { GatewayError } from "../errors.ts";
import { acceptedCoding, addVary } from "../server/content-coding.ts";
import { problemOf } from "../server/problems.ts";
import { noteProblem } from "../server/request-record.ts";
import type { SessionRegistry } from "../streaming/registry.ts";
import { closeCode } from "../streaming/socket.ts";
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

/** Items that are available at the same time may come as a list. */
export type Batches<Item extends object = object> = AsyncIterable<Item | readonly Item[]>;

export interface ItemStream<Item extends object> {
  readonly gateway: Pick<Gateway, "limits" | "report" | "streamStarted">;
  /** The stream takes one of its places. */
  readonly registry: SessionRegistry;
  readonly format: StreamFormat;
  readonly ending: Ending;
  /** Opens the items. A failure is an ordinary problem response. */
  open(): Promise<Batches<Item>>;
  /** The `id` of a server-sent event. */
  readonly idOf?: ((item: Item) => string | undefined) | undefined;
  /** Name of the file that the client saves the items as, compressed if it accepts gzip. Default: it reads them. */
  readonly fileName?: string | undefined;
}

/**
 * Returns what sends the items as the response body, and the headers at once, so that the client knows that the stream
 * is open. Keeps its place until the response has closed.
 */
export async function itemsOverHttp<Item extends object>(
  ctx: RequestContext,
  stream: ItemStream<Item>,
): Promise<{ readonly send: (reply: FastifyReply) => FastifyReply }> {
  const { gateway, registry, format, ending, fileName, open } = stream;
  const { caller } = ctx;
  const place = registry.reserve(ending.end, {
    whyOver: caller.whyOver,
    take: (places) => gateway.limits.take("streams", caller, places),
  });
  let items: Batches<Item>;
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
  const traffic = { received: 0, sent: 0 };
  place.hold({
    ended,
    traffic,
    end: (code, reason) =>
      ending.end(
        new GatewayError(code === closeCode.unauthenticated ? "unauthenticated" : "shutting_down", reason),
      ),
  });
  const body = Readable.from(textOf(ctx, items, stream), { objectMode: false });
  const isPacked =
    fileName !== undefined && acceptedCoding(ctx.request.headers["accept-encoding"], ["gzip"]) !== undefined;
  return {
    send(reply) {
      gateway.streamStarted(ctx.request);
      // Fastify has set the headers by then. Node would send them with the first item, which may never come.
      raw.once("pipe", () => raw.flushHeaders());
      attached(reply, fileName).type(format.mediaType);
      if (isPacked) {
        // A failure of either ends the other, and so the response.
        const packed = pipeline(body, createGzip(), () => undefined);
        return reply.header("content-encoding", "gzip").send(packed);
      }
      // Keeps proxies from buffering the items.
      return reply.header("x-accel-buffering", "no").send(body);
    },
  };
}

async function* textOf<Item extends object>(
  ctx: RequestContext,
  items: Batches<Item>,
  { gateway, format, ending, idOf }: ItemStream<Item>,
): AsyncGenerator<string> {
  const textOfItem = (item: Item): string => format.item(item, idOf?.(item));
  try {
    for await (const some of withHeartbeat(items, format.heartbeat)) {
      const text = typeof some === "string" ? some : listOf(some).map(textOfItem).join("");
      if (text !== "") yield text;
    }
    // Some sources just end when they are cancelled, which would look like the last item.
    if (ending.reason !== undefined) throw ending.reason;
  } catch (error) {
    if (!ctx.reply.raw.destroyed) yield format.error(problemFor(gateway, ctx, ending.reason ?? error));
  }
}

/** The problem for an error that comes too late for a status line. */
export function problemFor(gateway: Pick<Gateway, "report">, ctx: RequestContext, error: unknown): object {
  if (!(error instanceof GatewayError) || error.status >= 500) gateway.report(ctx.request, error);
  const problem = problemOf(error, { requestId: ctx.id });
  noteProblem(ctx.request, problem);
  return problem;
}

/** The items of a batch. */
export const listOf = <Item extends object>(some: Item | readonly Item[]): readonly Item[] =>
  Array.isArray(some) ? (some as readonly Item[]) : [some as Item];

/** Makes a response one that is saved under a name. */
export function attached(reply: FastifyReply, fileName: string | undefined): FastifyReply {
  if (fileName === undefined) return reply;
  addVary(reply, "accept-encoding");
  return reply.header("content-disposition", `attachment; filename="${fileName}"`);
}
