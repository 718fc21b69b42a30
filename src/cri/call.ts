/** Typed calls: an object in, an object out. Replies to callers are sent as bytes instead, see `unary.ts`. */
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import { decodeReply, encodeRequest, type Input } from "./codec.ts";

/** Calls `rpc` with an object and decodes the reply. @throws {GatewayError} As `Runtime.call`. */
export async function call<R extends Rpc>(
  runtime: Runtime,
  rpc: R,
  request: Input<Methods[R]["request"]>,
  options?: CallOptions,
): Promise<Methods[R]["response"]> {
  return decodeReply(rpc, await runtime.call(rpc, encodeRequest(rpc, request), options));
}
