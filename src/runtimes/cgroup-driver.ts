/** The runtime's cgroup driver, which determines the syntax of a cgroup parent. */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { oncePerConnection } from "../cri/once-per-connection.ts";
import { GatewayError } from "../errors.ts";

export type CgroupDriver = "SYSTEMD" | "CGROUPFS";

/**
 * Returns the runtime's driver, queried once per connection. Uses RuntimeConfig if the runtime has it; containerd 1.x
 * only shows its configuration in the verbose status. Default: cgroupfs.
 */
export const cgroupDriver: (runtime: Runtime) => Promise<CgroupDriver> = oncePerConnection(
  async (runtime) => (await fromRuntimeConfig(runtime)) ?? (await fromVerboseStatus(runtime)) ?? "CGROUPFS",
);

async function fromRuntimeConfig(runtime: Runtime): Promise<CgroupDriver | undefined> {
  try {
    const { linux } = await call(runtime, "RuntimeService/RuntimeConfig", {});
    return linux?.cgroupDriver;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "not_implemented") return undefined;
    throw error;
  }
}

/** The part of containerd's own configuration that is read, as its verbose status prints it. */
interface ContainerdConfig {
  readonly containerd?: {
    readonly defaultRuntimeName?: string;
    readonly runtimes?: {
      readonly [name: string]: { readonly options?: { readonly SystemdCgroup?: boolean } };
    };
  };
}

async function fromVerboseStatus(runtime: Runtime): Promise<CgroupDriver | undefined> {
  const { info } = await call(runtime, "RuntimeService/Status", { verbose: true });
  if (!info.config) return undefined;
  try {
    const { containerd } = JSON.parse(info.config) as ContainerdConfig;
    const handler = containerd?.runtimes?.[containerd.defaultRuntimeName ?? "runc"];
    return handler?.options?.SystemdCgroup ? "SYSTEMD" : "CGROUPFS";
  } catch {
    return undefined;
  }
}
