/** The typed form of a call: an object in, an object out. Replies for callers go out as bytes instead, see `unary.ts`. */
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import { decodeReply, encodeRequest, type Input } from "./codec.ts";

/** Calls `rpc` with an object. @throws {GatewayError} as `Runtime.call`. */
export async function call<R extends Rpc>(
  runtime: Runtime,
  rpc: R,
  request: Input<Methods[R]["request"]>,
  options?: CallOptions,
): Promise<Methods[R]["response"]> {
  return decodeReply(rpc, await runtime.call(rpc, encodeRequest(rpc, request), options));
}
