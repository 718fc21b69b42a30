/** Handles one call: decodes and records it, then answers with a test's override or the fake's own handler. */

import type { JsonObject } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { RecordedCall, RecordedCrash } from "./calls.ts";
import { asFault, DaemonCrash, GrpcFault } from "./fault.ts";
import type { Exchange } from "./grpc-server.ts";
import type { Manner } from "./manner.ts";
import type { Answer, FakeCall, Overrides, Reply } from "./overrides.ts";
import { methodOf, type RpcName } from "./rpc-names.ts";
import { handlers } from "./rpcs.ts";
import { type CriMethod, criSchema, decodeMessage, encodeMessage } from "./schema.ts";
import type { CallContext, World } from "./world.ts";

export interface Dispatch {
  readonly world: World;
  readonly overrides: Overrides;
  readonly calls: RecordedCall[];
  /** Crashes the daemon. */
  crash(crash: RecordedCrash): void;
}

type Replies = Reply | Promise<Reply> | Iterable<Reply> | AsyncIterable<Reply>;

/** Serves one call to completion. Never rejects. */
export async function dispatch(fake: Dispatch, method: CriMethod, exchange: Exchange): Promise<void> {
  const { world } = fake;
  const limit = world.manner.messageLimitBytes;
  const { metadata, deadline, signal } = exchange;
  let request: JsonObject = {};
  let fault = tooLarge("received message", exchange.request.length, limit);
  try {
    if (fault === undefined) request = decodeMessage(method.input, exchange.request);
  } catch (error) {
    fault = new GrpcFault(status.INTERNAL, `grpc: error unmarshalling request: ${String(error)}`);
  }
  const record: RecordedCall = {
    ...{ rpc: method.rpc, request, at: new Date(), deadline, metadata },
    ...{ cancelled: false, code: undefined },
  };
  fake.calls.push(record);
  signal.addEventListener("abort", () => {
    record.cancelled = true;
  });

  try {
    if (fault !== undefined) throw fault;
    for await (const reply of replies(answer(fake, method, request, record, signal))) {
      const message = reply instanceof Uint8Array ? reply : encodeMessage(method.output, reply);
      const large = tooLarge("trying to send message", message.length, limit);
      if (large !== undefined && !(reply instanceof Uint8Array)) throw large;
      await exchange.send(message);
      if (!method.streaming || signal.aborted) break;
    }
  } catch (error) {
    if (error instanceof DaemonCrash) {
      fake.crash({ rpc: method.rpc, request, reason: error.message, at: new Date() });
      return;
    }
    fault = asFault(error);
  }
  if (signal.aborted) return;
  record.code = fault?.code ?? status.OK;
  exchange.finish(fault);
}

function answer(
  fake: Dispatch,
  method: CriMethod,
  request: JsonObject,
  record: RecordedCall,
  signal: AbortSignal,
): Replies {
  const { rpc } = method;
  const override: Answer | undefined = fake.overrides.take(rpc);
  if (override === undefined)
    return perform(fake.world, rpc, request, { rpc, signal, deadline: record.deadline });
  if (typeof override !== "function") return override;
  const call: FakeCall = {
    ...{ rpc, signal, record },
    next: (other = request) => performAlone(fake.world, rpc, other, signal),
    nextAll: (other = request) => ownMessages(fake.world, method, other, signal),
  };
  return override(request, call);
}

/**
 * The fake's own response.
 *
 * @throws {GrpcFault} if the RPC is unimplemented. Other errors surface through the returned response.
 */
function perform(
  world: World,
  rpc: RpcName,
  request: JsonObject,
  call: CallContext,
): ReturnType<(typeof handlers)[RpcName]> {
  const fault = unimplementedFault(world.manner, rpc);
  if (fault !== undefined) throw fault;
  // Each handler reads the message of its own RPC, as the table ensures.
  return handlers[rpc](world, request as never, call);
}

function unimplementedFault({ unimplemented }: Manner, rpc: RpcName): GrpcFault | undefined {
  const kind = unimplemented.get(rpc);
  if (kind === undefined) return undefined;
  const [service] = rpc.split("/");
  return new GrpcFault(
    status.UNIMPLEMENTED,
    kind === "known"
      ? `method ${methodOf(rpc)} not implemented`
      : `unknown method ${methodOf(rpc)} for service runtime.v1.${service}`,
  );
}

/** Converts any response to a sequence: iterables are streams, a plain object is one message. */
async function* replies(answer: Replies): AsyncGenerator<Reply, void> {
  const settled = await answer;
  if (settled instanceof Uint8Array) yield settled;
  else if (isIterable(settled)) yield* settled;
  else yield settled;
}

function isIterable(value: object): value is Iterable<Reply> | AsyncIterable<Reply> {
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function tooLarge(what: string, size: number, limit: number): GrpcFault | undefined {
  if (size <= limit) return undefined;
  return new GrpcFault(status.RESOURCE_EXHAUSTED, `grpc: ${what} larger than max (${size} vs. ${limit})`);
}

/**
 * Performs an RPC for a caller that does not use the socket. Returns proto JSON; of a stream, the first message.
 *
 * @throws {GrpcFault} with the error of the runtime.
 * @throws {Error} if the request has unknown fields.
 */
export async function performAlone(
  world: World,
  rpc: RpcName,
  request: object,
  signal: AbortSignal,
): Promise<JsonObject> {
  const method = criSchema().methods.get(rpc);
  if (method === undefined) throw new Error(`Cannot perform an unknown RPC: ${rpc}`);
  for await (const message of ownMessages(world, method, request, signal)) return message;
  return {};
}

/** The fake's own messages, for any accepted spelling of a request. */
async function* ownMessages(
  world: World,
  { rpc, input, output }: CriMethod,
  request: object,
  signal: AbortSignal,
): AsyncGenerator<JsonObject, void> {
  const canonical = decodeMessage(input, encodeMessage(input, request));
  for await (const reply of replies(perform(world, rpc, canonical, { rpc, signal, deadline: undefined }))) {
    yield decodeMessage(output, encodeMessage(output, reply));
  }
}

/** Serves one call of another service, as bytes. Never rejects. */
export async function dispatchBytes(
  answer: (request: Buffer, exchange: Exchange) => Uint8Array | Promise<Uint8Array>,
  exchange: Exchange,
): Promise<void> {
  try {
    await exchange.send(await answer(exchange.request, exchange));
    exchange.finish();
  } catch (error) {
    exchange.finish(asFault(error));
  }
}
