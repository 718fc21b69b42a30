/**
 * Typed calls for use inside the gateway: an object in, an object out.
 *
 * Requests of callers do not come this way: their replies go out as bytes, without an object.
 */
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import { decodeReply, encodeRequest, type Input } from "./codec.ts";

/** Calls `rpc` with an object. @throws {GatewayError} as `Runtime.call`. */
export async function invoke<R extends Rpc>(
  runtime: Runtime,
  rpc: R,
  request: Input<Methods[R]["request"]>,
  options?: CallOptions,
): Promise<Methods[R]["response"]> {
  const reply = await runtime.call(rpc, encodeRequest(rpc, request), options);
  return decodeReply(rpc, reply);
}
