/** Which runtime answers: what it does differently from others hangs on that. */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { oncePerConnection } from "../cri/once-per-connection.ts";

export interface Identity {
  /** As Version says it: `containerd`, `cri-o`, `docker` (cri-dockerd). */
  readonly name: string;
  readonly version: string;
}

const ask = oncePerConnection(async (runtime): Promise<Identity> => {
  const { runtimeName, runtimeVersion } = await call(runtime, "RuntimeService/Version", {});
  return { name: runtimeName, version: runtimeVersion };
});

/** Name and version of the runtime, asked once per connection. @throws {GatewayError} when it does not answer. */
export const identify = (runtime: Runtime): Promise<Identity> => ask(runtime);

/** Whether this is the runtime of that name. */
export async function isRuntime(runtime: Runtime, name: string): Promise<boolean> {
  return (await identify(runtime)).name === name;
}
