/** A runtime without a socket: answers by a table, for what does not depend on the wire. */
import type { ServiceError } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { Runtime } from "../../../src/cri/channel.ts";
import { decodeRequest, encodeReply, type Input, readLenient } from "../../../src/cri/codec.ts";
import { fromNativeStatus, fromStatus } from "../../../src/cri/status.ts";
import { type Methods, methods, type Rpc } from "../../../src/gen/methods.ts";

/** The reply, or what the call rejects with. */
export type StubAnswer<R extends Rpc> = (
  request: Methods[R]["request"],
) => Input<Methods[R]["response"]> | Error | Promise<Input<Methods[R]["response"]> | Error>;
export type StubAnswers = { readonly [R in Rpc]?: StubAnswer<R> };

export interface StubRuntime extends Runtime {
  /** The RPCs that were called, in their order. */
  readonly called: readonly Rpc[];
  /** Ends the connection: what waits for that is told. */
  drop(): void;
}

/** An error as grpc-js rejects with it. */
export function serviceError(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details }) as ServiceError;
}

/** An RPC that is not in the table is UNIMPLEMENTED. */
export function stubRuntime(answers: StubAnswers): StubRuntime {
  const called: Rpc[] = [];
  let waiting: (() => void)[] = [];
  return {
    called,
    async call(rpc, request) {
      called.push(rpc);
      const answer = answers[rpc] as StubAnswer<Rpc> | undefined;
      const given = answer
        ? await answer(decodeRequest(rpc, request))
        : serviceError(status.UNIMPLEMENTED, `unknown method ${rpc}`);
      if (given instanceof Error)
        throw "details" in given ? fromStatus(rpc, given as ServiceError, request) : given;
      // Completed as a reply is: the encoder takes any part, the type wants the whole.
      return encodeReply(rpc, readLenient(methods[rpc].response, given) as Methods[Rpc]["response"]);
    },
    // biome-ignore lint/correctness/useYield: a stream without an item
    async *stream(rpc) {
      throw fromStatus(rpc, serviceError(status.UNIMPLEMENTED, `unknown method ${rpc}`));
    },
    // biome-ignore lint/correctness/useYield: a stream without an item
    async *streamNative(path) {
      throw fromNativeStatus(path, serviceError(status.UNIMPLEMENTED, `unknown method ${path}`));
    },
    async callNative(path) {
      throw fromNativeStatus(path, serviceError(status.UNIMPLEMENTED, `unknown method ${path}`));
    },
    seen: () => undefined,
    markUnimplemented: () => undefined,
    whenDropped: (dropped) => void waiting.push(dropped),
    drop() {
      const told = waiting;
      waiting = [];
      for (const dropped of told) dropped();
    },
    endpoint: "/stub.sock",
    imageEndpoint: "/stub.sock",
    close: () => undefined,
  };
}
