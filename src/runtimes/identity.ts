/** Identifies the runtime, because behavior differs between runtimes. */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { oncePerConnection } from "../cri/once-per-connection.ts";

export interface Identity {
  /** As reported by Version: `containerd`, `cri-o`, `docker` (cri-dockerd). */
  readonly name: string;
  readonly version: string;
}

const ask = oncePerConnection(async (runtime): Promise<Identity> => {
  const { runtimeName, runtimeVersion } = await call(runtime, "RuntimeService/Version", {});
  return { name: runtimeName, version: runtimeVersion };
});

/** Name and version of the runtime, queried once per connection. @throws {GatewayError} When it does not answer. */
export const identify = (runtime: Runtime): Promise<Identity> => ask(runtime);

/** Whether the runtime has this name. */
export async function isRuntime(runtime: Runtime, name: string): Promise<boolean> {
  return (await identify(runtime)).name === name;
}
