/**
 * Routes that send a sequence of items: as NDJSON, server-sent events, text or WebSocket messages, chosen by `Accept`
 * and `Upgrade`; or as JSON, which is only the last item.
 *
 * A source only yields items. This module sends them at each reader's pace, gives the reader a place among the
 * sessions, and sends a problem if the source fails or the gateway stops. A failure before the first byte is an
 * ordinary problem response.
 */
import type { FastifyReply } from "fastify";
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { StreamForm, StreamRoute } from "../routes/define.ts";
import { keepAlive, type Liveness } from "../streaming/liveness.ts";
import type { PendingSession, WaitingClient } from "../streaming/pending-session.ts";
import { closeCode, type Socket } from "../streaming/socket.ts";
import { createBinder } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { type Ending, endingOf, itemsOverHttp, problemFor } from "./item-stream.ts";
import { negotiate } from "./negotiate.ts";
import type { SessionOptions } from "./session-plan.ts";
import type { RouteKind } from "./stages.ts";
import { type StreamFormat, streamFormat } from "./stream-formats.ts";
import { checkHandshake } from "./websockets.ts";

type Context = RequestContext<StreamRoute>;

export interface StreamHandler<Item extends object = object> {
  /**
   * Opens the items. They are requested one at a time, as fast as the client reads, and must end when `ctx.signal`
   * aborts.
   *
   * @throws {GatewayError}
   */
  open(ctx: Context, gateway: Gateway): Promise<AsyncIterable<Item>>;
  /** An item as a line of text, without the newline; undefined for an item that the text format skips. */
  lineOf(item: Item): string | undefined;
  /** The `id` of a server-sent event, which a client returns as `Last-Event-ID`. Must be one line. */
  idOf?(item: Item): string | undefined;
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
  { handler, sessions }: { readonly handler: StreamHandler; readonly sessions: SessionOptions },
): RouteKind<StreamRoute, StreamPlan, Opened> {
  const binder = createBinder(route);
  const formats = new Map<string, StreamFormat>();
  for (const form of route.forms)
    if (form !== "json" && form !== "websocket") formats.set(form, streamFormat(form, handler.lineOf));
  const byMediaType = new Map<string, StreamForm>([
    ...(route.forms.includes("json") ? [["application/json", "json"] as const] : []),
    ...[...formats].map(([form, { mediaType }]) => [mediaType, form as StreamForm] as const),
  ]);
  const [first = "application/json", ...others] = byMediaType.keys();

  return {
    binder,
    bind(ctx) {
      const isSocket = ctx.request.ws;
      if (isSocket) checkHandshake(ctx.request);
      const mediaType = isSocket ? first : negotiate(ctx.request.headers.accept, [first, ...others]);
      ctx.bound = binder.bind(ctx.parts);
      return { form: isSocket ? "websocket" : (byMediaType.get(mediaType) ?? "json"), places: 1 };
    },
    async call(ctx, { form, client }) {
      const ending = endingOf(ctx);
      if (form === "websocket") {
        client?.check();
        return { session: overSocket(ctx, { items: await handler.open(ctx, gateway), ending }) };
      }
      if (form === "json") {
        const last = await lastOf(await handler.open(ctx, gateway));
        return {
          send: (reply) => reply.type("application/json").send(Buffer.from(`${JSON.stringify(last)}\n`)),
        };
      }
      const format = formats.get(form);
      if (format === undefined) throw new TypeError(`${route.id} has no form ${form}`);
      // A HEAD response has no body, so do not open the items.
      if (ctx.request.method === "HEAD")
        return { send: (reply) => reply.type(format.mediaType).send(Buffer.alloc(0)) };
      return itemsOverHttp(ctx, {
        gateway,
        registry: sessions.registry,
        format,
        ending,
        open: () => handler.open(ctx, gateway),
        idOf: handler.idOf?.bind(handler),
      });
    },
    answer: ({ reply }, opened) => ("send" in opened ? opened.send(reply) : undefined),
  };

  /** Sends the items as WebSocket messages, each after the previous one has been sent. */
  function overSocket(ctx: Context, { items, ending }: Items): PendingSession {
    return {
      close: () => ending.end(new CallCancelled("the WebSocket did not open")),
      begin(socket) {
        const live = keepAlive(socket, sessions.limits);
        socket.on("message", live.heard);
        void sendAll(ctx, { socket, live, items });
        const ended = live.closed.then(() => ending.end(new CallCancelled("the client disconnected")));
        return { ended, end: live.close };
      },
    };
  }

  async function sendAll(
    ctx: Context,
    { socket, live, items }: Pick<Items, "items"> & { readonly socket: Socket; readonly live: Liveness },
  ): Promise<void> {
    const send = (item: object): Promise<void> =>
      new Promise((resolve, reject) => {
        live.sent();
        socket.send(JSON.stringify(item), (error) => (error ? reject(error) : resolve()));
      });
    try {
      for await (const item of items) await send(item);
      live.close(closeCode.normal, "");
    } catch (error) {
      if (!live.open || socket.readyState !== openState) return;
      await send({ error: problemFor(gateway, ctx, error) }).catch(() => undefined);
      live.close(closeCode.internal, "the stream ended with an error");
    }
  }
}

interface Items {
  readonly items: AsyncIterable<object>;
  readonly ending: Ending;
}

/** The last item. @throws {GatewayError} internal: if there is none. */
async function lastOf(items: AsyncIterable<object>): Promise<object> {
  let last: object | undefined;
  for await (const item of items) last = item;
  if (last === undefined) throw new GatewayError("internal", "The stream ended without an item");
  return last;
}
