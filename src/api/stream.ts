/**
 * Routes that send a sequence of items: as NDJSON, server-sent events, text or WebSocket messages, chosen by `Accept`
 * and `Upgrade`; or as JSON, which is only the last item unless the handler makes it.
 *
 * A source only yields items. This module sends them at each reader's pace, gives the reader a place among the
 * sessions, and sends a problem if the source fails or the gateway stops. A failure before the first byte is an
 * ordinary problem response.
 */
import type { FastifyReply } from "fastify";
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { mediaTypes, mediaTypesOf, type StreamForm, type StreamRoute } from "../routes/define.ts";
import { keepAlive, type Liveness } from "../streaming/liveness.ts";
import type { PendingSession, WaitingClient } from "../streaming/pending-session.ts";
import { closeCode, type Socket } from "../streaming/socket.ts";
import { createBinder } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import {
  attached,
  type Batches,
  type Ending,
  endingOf,
  itemsOverHttp,
  listOf,
  problemFor,
} from "./item-stream.ts";
import { negotiate } from "./negotiate.ts";
import type { SessionOptions } from "./session-plan.ts";
import type { RouteKind } from "./stages.ts";
import { type StreamFormat, streamFormat } from "./stream-formats.ts";
import { type ChosenProtocols, checkHandshake, chooseProtocol, itemsProtocol } from "./websockets.ts";

type Context = RequestContext<StreamRoute>;

/** `Answer` is what readers get for each item, `Item` what the source yields. */
export interface StreamHandler<Answer extends object = object, Item extends object = Answer> {
  /**
   * Opens the items. They are requested one at a time, as fast as the client reads, and must end when `ctx.signal`
   * aborts. Items that are available at the same time may come as a list.
   *
   * `form`: how the items are sent. As `json`, they must end.
   *
   * @throws {GatewayError}
   */
  open(ctx: Context, gateway: Gateway, form: StreamForm): Promise<AsyncIterable<Item | readonly Item[]>>;
  /** An item as a line of text, without the newline; undefined for an item that the text format skips. */
  lineOf(item: Item): string | undefined;
  /** An item as readers get it. Default: itself. */
  answerOf?(item: Item): Answer;
  /** The `id` of a server-sent event, which a client returns as `Last-Event-ID`. Must be one line. */
  idOf?(item: Item): string | undefined;
  /** Answers JSON, in an answer of bounded size. Default: the last item. @throws {GatewayError} */
  json?(ctx: Context, gateway: Gateway): Promise<object>;
  /** The name of the file that a client wants to save the items as; undefined for one that reads them. */
  fileName?(ctx: Context): string | undefined;
}

/** The chosen form, and the client for a WebSocket. */
interface StreamPlan {
  readonly form: StreamForm;
  /** Number of places among the sessions. */
  readonly places: number;
  /** Only for a WebSocket. */
  readonly client?: WaitingClient;
}

/** Sends the items. */
export type Opened =
  | { readonly send: (reply: FastifyReply) => FastifyReply }
  | { readonly session: PendingSession };

/** `readyState` of an open WebSocket. */
const openState = 1;

export function streamKind(
  route: StreamRoute,
  gateway: Gateway,
  {
    handler,
    sessions,
    chosen,
  }: {
    readonly handler: StreamHandler;
    readonly sessions: SessionOptions;
    readonly chosen: ChosenProtocols;
  },
): RouteKind<StreamRoute, StreamPlan, Opened> {
  const binder = createBinder(route);
  const answerOf = (item: object): object => handler.answerOf?.(item) ?? item;
  const formats = new Map<string, StreamFormat>();
  const byMediaType = new Map<string, StreamForm>([[mediaTypes.json, "json"]]);
  for (const form of ["ndjson", "sse", "text"] as const) {
    formats.set(form, streamFormat(form, handler.lineOf, answerOf));
    byMediaType.set(mediaTypes[form], form);
  }
  const offered = mediaTypesOf(route);

  return {
    binder,
    bind(ctx) {
      const isSocket = ctx.request.ws;
      if (isSocket) {
        checkHandshake(ctx.request);
        const subprotocol = chooseProtocol([itemsProtocol], ctx.request.raw);
        if (subprotocol !== undefined) chosen.set(ctx.request.raw, subprotocol);
      }
      const mediaType = isSocket ? offered[0] : negotiate(ctx.request.headers.accept, offered);
      ctx.bound = binder.bind(ctx.parts);
      return { form: isSocket ? "websocket" : (byMediaType.get(mediaType) ?? "json"), places: 1 };
    },
    async call(ctx, { form, client }) {
      const ending = endingOf(ctx);
      if (form === "websocket") {
        client?.check();
        return { session: overSocket(ctx, { items: await handler.open(ctx, gateway, form), ending }) };
      }
      const fileName = handler.fileName?.(ctx);
      if (form === "json") {
        const body = (await handler.json?.(ctx, gateway)) ?? answerOf(await lastItem(ctx));
        return {
          send: (reply) =>
            attached(reply, fileName)
              .type("application/json")
              .send(Buffer.from(`${JSON.stringify(body)}\n`)),
        };
      }
      const format = formats.get(form);
      if (format === undefined) throw new TypeError(`${route.id} has no form ${form}`);
      // A HEAD response has no body, so do not open the items.
      if (ctx.request.method === "HEAD")
        return { send: (reply) => attached(reply, fileName).type(format.mediaType).send(Buffer.alloc(0)) };
      return itemsOverHttp(ctx, {
        gateway,
        registry: sessions.registry,
        format,
        ending,
        fileName,
        open: () => handler.open(ctx, gateway, form),
        idOf: handler.idOf?.bind(handler),
      });
    },
    answer: ({ reply }, opened) => ("send" in opened ? opened.send(reply) : undefined),
  };

  /** Waits for the last item, which may take as long as a stream. */
  async function lastItem(ctx: Context): Promise<object> {
    const held = gateway.limits.take("streams", ctx.caller);
    try {
      return await lastOf(await handler.open(ctx, gateway, "json"));
    } finally {
      held.release();
    }
  }

  /** Sends the items as WebSocket messages, each after the previous one has been sent. */
  function overSocket(ctx: Context, { items, ending }: Items): PendingSession {
    return {
      close: () => ending.end(new CallCancelled("the WebSocket did not open")),
      begin(socket) {
        const live = keepAlive(socket, sessions.limits);
        socket.on("message", () => live.heard());
        void sendAll(ctx, { socket, live, items });
        const ended = live.closed.then(() => ending.end(new CallCancelled("the client disconnected")));
        return { ended, end: live.close, traffic: live.traffic };
      },
    };
  }

  async function sendAll(
    ctx: Context,
    { socket, live, items }: Pick<Items, "items"> & { readonly socket: Socket; readonly live: Liveness },
  ): Promise<void> {
    const send = (item: object): Promise<void> =>
      new Promise((resolve, reject) => {
        const text = JSON.stringify(item);
        live.sent(Buffer.byteLength(text));
        socket.send(text, (error) => (error ? reject(error) : resolve()));
      });
    try {
      for await (const some of items) for (const item of listOf(some)) await send(answerOf(item));
      live.close(closeCode.normal, "");
    } catch (error) {
      if (!live.open || socket.readyState !== openState) return;
      await send({ error: problemFor(gateway, ctx, error) }).catch(() => undefined);
      live.close(closeCode.internal, "the stream ended with an error");
    }
  }
}

interface Items {
  readonly items: Batches;
  readonly ending: Ending;
}

/** The last item. @throws {GatewayError} internal: if there is none. */
async function lastOf(items: Items["items"]): Promise<object> {
  let last: object | undefined;
  for await (const some of items) last = listOf(some).at(-1) ?? last;
  if (last === undefined) throw new GatewayError("internal", "The stream ended without an item");
  return last;
}
