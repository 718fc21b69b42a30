/**
 * Routes that send a sequence of items: as NDJSON, server-sent events, text or WebSocket messages, chosen by `Accept`
 * and `Upgrade`; or as JSON, which is only the last item unless the handler makes it.
 *
 * A source only yields items. This module sends them at each reader's pace, gives the reader a place among the
 * sessions, and sends a problem if the source fails or the gateway stops. A failure before the first byte is an
 * ordinary problem response.
 */
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { FastifyReply } from "fastify";
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { StreamForm, StreamRoute } from "../routes/define.ts";
import { problemOf } from "../server/problems.ts";
import { noteCode } from "../server/request-record.ts";
import { keepAlive, type Liveness } from "../streaming/liveness.ts";
import type { PendingSession, WaitingClient } from "../streaming/pending-session.ts";
import { closeCode, type Socket } from "../streaming/socket.ts";
import { createBinder } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { withHeartbeat } from "./heartbeat.ts";
import { negotiate } from "./negotiate.ts";
import type { SessionOptions } from "./session-plan.ts";
import type { RouteKind } from "./stages.ts";
import { type StreamFormat, streamFormat } from "./stream-formats.ts";
import { checkHandshake } from "./websockets.ts";

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
  { handler, sessions }: { readonly handler: StreamHandler; readonly sessions: SessionOptions },
): RouteKind<StreamRoute, StreamPlan, Opened> {
  const binder = createBinder(route);
  const answerOf = (item: object): object => handler.answerOf?.(item) ?? item;
  const formats = new Map<string, StreamFormat>();
  const byMediaType = new Map<string, StreamForm>();
  for (const form of route.forms) {
    if (form === "json") byMediaType.set("application/json", form);
    else if (form !== "websocket") {
      const format = streamFormat(form, handler.lineOf, answerOf);
      formats.set(form, format);
      byMediaType.set(format.mediaType, form);
    }
  }
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
        return { session: overSocket(ctx, { items: await handler.open(ctx, gateway, form), ending }) };
      }
      const fileName = handler.fileName?.(ctx);
      if (form === "json") {
        const body =
          (await handler.json?.(ctx, gateway)) ??
          answerOf(await lastOf(await handler.open(ctx, gateway, form)));
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
      return overHttp(ctx, { form, format, ending, fileName });
    },
    answer: ({ reply }, opened) => ("send" in opened ? opened.send(reply) : undefined),
  };

  /** Sends the items as the response body. Keeps its place until the response has closed. */
  async function overHttp(
    ctx: Context,
    {
      form,
      format,
      ending,
      fileName,
    }: {
      readonly form: StreamForm;
      readonly format: StreamFormat;
      readonly ending: Ending;
      readonly fileName: string | undefined;
    },
  ): Promise<Opened> {
    const place = sessions.registry.reserve(ending.end);
    let items: Items["items"];
    try {
      items = await handler.open(ctx, gateway, form);
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
    const body = Readable.from(textOf(ctx, { items, format, ending }), { objectMode: false });
    const isPacked = fileName !== undefined && takesGzip(ctx.request.headers["accept-encoding"]);
    return {
      send(reply) {
        gateway.streamStarted(ctx.request);
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

  async function* textOf(
    ctx: Context,
    { items, format, ending }: Items & { readonly format: StreamFormat },
  ): AsyncGenerator<string> {
    const textOfItem = (item: object): string => format.item(item, handler.idOf?.(item));
    try {
      for await (const some of withHeartbeat(items, format.heartbeat)) {
        const text = typeof some === "string" ? some : listOf(some).map(textOfItem).join("");
        if (text !== "") yield text;
      }
    } catch (error) {
      if (!ctx.reply.raw.destroyed) yield format.error(problemFor(ctx, ending.reason ?? error));
    }
  }

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
      for await (const some of items) for (const item of listOf(some)) await send(answerOf(item));
      live.close(closeCode.normal, "");
    } catch (error) {
      if (!live.open || socket.readyState !== openState) return;
      await send({ error: problemFor(ctx, error) }).catch(() => undefined);
      live.close(closeCode.internal, "the stream ended with an error");
    }
  }

  /** The problem for an error that comes too late for a status line. */
  function problemFor(ctx: Context, error: unknown): object {
    if (!(error instanceof GatewayError) || error.status >= 500) gateway.report(ctx.request, error);
    const problem = problemOf(error, { requestId: ctx.id });
    noteCode(ctx.request, problem.code);
    return problem;
  }
}

/** Ends a stream from our side, as opposed to a client that disconnects. */
interface Ending {
  /** Cancels everything registered with `ctx.onCancel`. Keeps the first reason. */
  readonly end: (reason: Error) => void;
  readonly reason: Error | undefined;
}

interface Items {
  readonly items: AsyncIterable<object | readonly object[]>;
  readonly ending: Ending;
}

function endingOf(ctx: Context): Ending {
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

/** The last item. @throws {GatewayError} internal: if there is none. */
async function lastOf(items: Items["items"]): Promise<object> {
  let last: object | undefined;
  for await (const some of items) last = listOf(some).at(-1) ?? last;
  if (last === undefined) throw new GatewayError("internal", "The stream ended without an item");
  return last;
}

const listOf = (some: object | readonly object[]): readonly object[] =>
  Array.isArray(some) ? (some as readonly object[]) : [some];

/** Makes a response one that is saved under a name. */
function attached(reply: FastifyReply, fileName: string | undefined): FastifyReply {
  if (fileName === undefined) return reply;
  return reply
    .header("content-disposition", `attachment; filename="${fileName}"`)
    .header("vary", "accept-encoding");
}

/** Whether `Accept-Encoding` names gzip, and not with a quality of 0. */
function takesGzip(acceptEncoding: string | string[] | undefined): boolean {
  return [acceptEncoding ?? []]
    .flat()
    .join(",")
    .split(",")
    .some((coding) => {
      const [name = "", ...parameters] = coding.split(";").map((part) => part.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      return (name === "gzip" || name === "*") && Number(quality ?? 1) > 0;
    });
}
