/** Explains UNIMPLEMENTED: names the RPC, and the runtime and version that lack it. */

import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { identify } from "./identity.ts";

/**
 * Returns `RuntimeConfig is not implemented by containerd 1.6.20: ` and the runtime's text. A runtime that no longer
 * answers is called "the runtime".
 */
export async function notImplemented(runtime: Runtime, rpc: Rpc, error: GatewayError): Promise<GatewayError> {
  const who = await identify(runtime).then(
    ({ name, version }) => `${name} ${version}`,
    () => "the runtime",
  );
  const method = rpc.slice(rpc.indexOf("/") + 1);
  const said = error.message.replace(`${method} failed: `, "");
  return new GatewayError("not_implemented", `${method} is not implemented by ${who}: ${said}`, {
    cause: error,
    ...(error.grpcCode === undefined ? {} : { grpcCode: error.grpcCode }),
  });
}
