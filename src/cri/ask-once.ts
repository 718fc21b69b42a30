/** A single call on a connection of its own, to find out whether a runtime is serving. */
import type { Methods, Rpc } from "../gen/methods.ts";
import { call } from "./call.ts";
import { connect } from "./channel.ts";
import type { Input } from "./codec.ts";

/**
 * Connects to a socket, calls `rpc` and closes the connection. Does not wait for a runtime that is unavailable.
 * `deadlineMs`: how long the runtime may take to reply, in milliseconds.
 *
 * @throws {GatewayError} As `Runtime.call`. Its `grpcCode` is `UNIMPLEMENTED` when the runtime lacks the service.
 */
export async function askOnce<R extends Rpc>(
  socket: string,
  rpc: R,
  request: Input<Methods[R]["request"]>,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<Methods[R]["response"]> {
  const runtime = connect({ runtimeEndpoint: socket });
  try {
    return await call(runtime, rpc, request, { deadlineMs, atOnce: true });
  } finally {
    runtime.close();
  }
}
