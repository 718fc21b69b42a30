/**
 * Lists as NDJSON, one item per line, in the order the runtime sends them. Uses the streaming RPC if the runtime has
 * it, otherwise the unary list.
 *
 * The status line waits for the first message, so that an early failure is still a problem response. A later failure
 * cuts the connection: the client sees that the last chunk is missing. The runtime may be silent for as long as a list
 * may take. Time that the client spends reading does not count.
 */

import { Readable } from "node:stream";
import { CallCancelled, type CallOptions, type FailedMember } from "../cri/channel.ts";
import { fieldAt, fieldsOf, type Items, replyItems, writeItems } from "../cri/codec.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { accountOf } from "../limits/caller-limiter.ts";
import type { ListRoute } from "../routes/define.ts";
import type { RequestContext } from "./context.ts";
import { gatherFailures } from "./failed-members.ts";
import { type Gateway, whenClosed } from "./gateway.ts";
import type { Choose, Wanted } from "./name-filter.ts";
import { requestBytes } from "./output-budget.ts";

export const ndjson = "application/x-ndjson";

export interface LinesOptions {
  /** The encoded request. */
  readonly wire: Buffer;
  /** Applies filters that the runtime may not have applied. Default: every item. */
  readonly choose: Choose | undefined;
}

/** Calls the runtime, and returns the lines once the first message has arrived. @throws {GatewayError} before that. */
type Lines = (ctx: RequestContext, options: LinesOptions) => Promise<Readable>;

/** The runtime's messages, and the field that holds the items of each. */
interface Source {
  readonly rpc: Rpc;
  readonly field: string;
  readonly first: IteratorResult<Buffer>;
  /** The next message. @throws {GatewayError} deadline_exceeded: if the runtime is silent for too long. */
  next(): Promise<IteratorResult<Buffer>>;
  /** The members that the runtime could not read. Complete after the last message. */
  failures(): readonly FailedMember[];
  /** Ends the call if it is still running. Always called. */
  cancel(): void;
}

/** If a stream's first message fails with one of these, fall back to the list, which may skip the member at fault. */
const doWithoutStream: ReadonlySet<string> = new Set<ErrorCode>([
  "not_implemented",
  "runtime_error",
  "reply_too_large",
]);

/** Bytes of the reply to convert at a time. A reply can be 16 MiB. */
const pieceBytes = 64 * 1024;

export function createLines(route: ListRoute, gateway: Gateway): Lines {
  const { runtime, budget, pool } = gateway;
  const silenceMs = gateway.listSilenceMs ?? rpcRules[route.rpc].deadlineMs;

  async function open({ caller, onCancel }: RequestContext, wire: Buffer): Promise<Source> {
    const account = accountOf(caller);
    if (route.stream && runtime.seen(route.stream) !== "unimplemented") {
      try {
        return await openStream(route.stream, wire, { account, onCancel });
      } catch (error) {
        if (!(error instanceof GatewayError && doWithoutStream.has(error.code))) throw error;
      }
    }
    const { failures, onFailedMember } = gatherFailures();
    const options = { account, onCancel, onFailedMember };
    const value = await runtime.call(route.rpc, wire, options);
    return {
      rpc: route.rpc,
      field: route.items,
      first: { value },
      next: async () => ({ value: undefined, done: true }),
      failures,
      cancel: () => undefined,
    };
  }

  async function openStream(
    rpc: Rpc,
    wire: Buffer,
    { account, onCancel }: Required<Pick<CallOptions, "account" | "onCancel">>,
  ): Promise<Source> {
    let cancel = (): void => undefined;
    const messages = runtime
      .stream(rpc, wire, {
        account,
        onCancel(cancelCall) {
          cancel = cancelCall;
          onCancel(cancelCall);
        },
      })
      [Symbol.asyncIterator]();
    const next = (): Promise<IteratorResult<Buffer>> =>
      within(silenceMs, messages.next(), () => {
        cancel();
        return new GatewayError(
          "deadline_exceeded",
          `${rpc.slice(rpc.indexOf("/") + 1)} failed: the runtime sent nothing for ${silenceMs} ms`,
        );
      });
    return {
      rpc,
      field: onlyField(rpc),
      first: await next(),
      next,
      failures: () => [],
      cancel: () => cancel(),
    };
  }

  function* textOf({ rpc, field }: Source, items: Items, wanted: Wanted | undefined): Generator<Buffer> {
    const item = fieldAt(methods[rpc].response, field).type;
    let order: number[] = [];
    let bytes = 0;
    for (let index = 0; index < items.length; index++) {
      if (wanted && !wanted(items, index)) continue;
      order.push(index);
      bytes += (items.ranges[index * 2 + 1] ?? 0) - (items.ranges[index * 2] ?? 0);
      if (bytes < pieceBytes) continue;
      yield linesOf(item, items, order);
      order = [];
      bytes = 0;
    }
    if (order.length > 0) yield linesOf(item, items, order);
  }

  function linesOf(item: string, items: Items, order: readonly number[]): Buffer {
    const options = { pool, order, prefix: "", separator: "\n", suffix: "\n" };
    const { bytes, release } = writeItems(item, items, options);
    // A copy: the stream keeps it after this turn.
    const text = Buffer.from(bytes);
    release();
    return text;
  }

  return async (ctx, { wire, choose }) => {
    const { request, reply } = ctx;
    const room = budget.reserve(accountOf(ctx.caller), requestBytes);
    whenClosed(reply, room.release);
    const source = await open(ctx, wire);
    try {
      // Each message stays in memory until its last line is sent.
      if (!source.first.done) room.resize(source.first.value.length);
    } catch (error) {
      source.cancel();
      throw error;
    }

    async function* text(): AsyncGenerator<Buffer> {
      try {
        for (let message = source.first; !message.done; message = await source.next()) {
          room.force(message.value.length);
          const items = replyItems(source.rpc, message.value, source.field);
          yield* textOf(source, items, await choose?.(items));
        }
        for (const failure of source.failures()) yield Buffer.from(`${JSON.stringify({ failure })}\n`);
      } catch (error) {
        // Before the headers are sent, it becomes a problem response and is logged there.
        if (reply.raw.headersSent && !(error instanceof CallCancelled)) gateway.report(request, error);
        throw error;
      } finally {
        source.cancel();
      }
    }
    return Readable.from(text());
  };
}

/** Settles like `promise`, but rejects with the result of `late` after `limitMs`. */
function within<T>(limitMs: number, promise: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A streaming reply has one repeated field, whose name differs from the list's. */
function onlyField(rpc: Rpc): string {
  const field = fieldsOf(methods[rpc].response).find(({ repeated }) => repeated);
  if (!field) throw new TypeError(`${rpc} answers no items`);
  return field.name;
}
