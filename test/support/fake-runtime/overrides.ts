import type { JsonObject } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import type { RecordedCall } from "./calls.ts";
import { GrpcFault } from "./fault.ts";
import type { RpcName } from "./rpc-names.ts";

/**
 * One message: proto JSON (bigint and Uint8Array are accepted for 64-bit numbers and bytes, `undefined` members are
 * omitted), or the encoded bytes of the message.
 */
export type Reply = object | Uint8Array;

/** What a test's handler receives besides the request. */
export interface FakeCall {
  readonly rpc: RpcName;
  /** Aborts when the client gives up. */
  readonly signal: AbortSignal;
  readonly record: RecordedCall;
  /** The fake's own response to this request or another; for a stream, the first message. */
  next(request?: object): Promise<JsonObject>;
  /** All messages of the fake's own stream. */
  nextAll(request?: object): AsyncIterable<JsonObject>;
}

/**
 * Answers one call. For a stream it returns an iterable of replies.
 *
 * @throws {GrpcFault} as the response; any other error becomes INTERNAL with its text.
 */
export type Answerer = (
  request: JsonObject,
  call: FakeCall,
) => Reply | Promise<Reply> | Iterable<Reply> | AsyncIterable<Reply>;

/** A fixed reply or a handler. */
export type Answer = Reply | Answerer;

export interface Overrides {
  /** Returns the newest override of an RPC, and removes it if it is for a single call. */
  take(rpc: RpcName): Answer | undefined;
  /** @returns A function that removes the override. */
  add(rpc: RpcName, answer: Answer, options: { once: boolean }): () => void;
}

export function createOverrides(): Overrides {
  const stacks = new Map<RpcName, { answer: Answer; once: boolean }[]>();
  return {
    take(rpc) {
      const stack = stacks.get(rpc);
      const top = stack?.at(-1);
      if (top?.once) stack?.pop();
      return top?.answer;
    },
    add(rpc, answer, { once }) {
      const stack = stacks.get(rpc) ?? [];
      stacks.set(rpc, stack);
      const entry = { answer, once };
      stack.push(entry);
      return () => {
        const index = stack.indexOf(entry);
        if (index >= 0) stack.splice(index, 1);
      };
    },
  };
}

/** Answers with an error. */
export function failing(code: status, details: string): Answerer {
  return () => {
    throw new GrpcFault(code, details);
  };
}

/** Never answers; ends only when the client gives up. */
export function hanging(): Answerer {
  return (_request, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new GrpcFault(status.CANCELLED, "context canceled")));
    });
}

/**
 * Holds calls until `release()`, then answers with the fixed reply or, by default, the fake's own.
 *
 * `arrived` settles when the first call is held.
 */
export function held(reply?: Reply): { answer: Answerer; release(): void; arrived: Promise<void> } {
  const gate = newPromise();
  const first = newPromise();
  return {
    answer: async (_request, call) => {
      first.resolve();
      await gate.promise;
      return reply ?? call.next();
    },
    release: gate.resolve,
    arrived: first.promise,
  };
}

function newPromise(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** A valid message of this size, within a byte: a single field that no CRI message has. */
export function sized(bytes: number): Uint8Array {
  const make = (payload: number) =>
    new BinaryWriter().tag(60_000, WireType.LengthDelimited).bytes(new Uint8Array(payload)).finish();
  const headerBytes = make(bytes).length - bytes;
  return make(Math.max(0, bytes - headerBytes));
}
