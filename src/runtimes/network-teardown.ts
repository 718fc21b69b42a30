/**
 * Errors for a pod that the runtime cannot stop or remove because its CNI plugin fails to remove the pod's network.
 * Every retry fails the same way, so the error names the ways to recover.
 */

import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { isRuntime } from "./identity.ts";

/** Returns `network_teardown_failed` with the runtime's text and instructions for the node. */
export async function networkTeardownFailed(
  runtime: Runtime,
  { podSandboxId }: { readonly podSandboxId?: string },
  error: GatewayError,
): Promise<GatewayError> {
  const ways = ["Fix what the CNI plugin complains about, in its configuration on the node, and retry"];
  // On start, containerd drops pods whose record is gone: measured on 1.6.
  if (podSandboxId && (await isRuntime(runtime, "containerd").catch(() => false))) {
    const record = `ctr --address ${runtime.endpoint} --namespace k8s.io containers delete ${podSandboxId}`;
    ways.push(`or run "${record}" and restart containerd`);
  }
  return new GatewayError("network_teardown_failed", `${error.message}. ${ways.join(", ")}`, {
    cause: error,
    grpcCode: error.grpcCode,
    members: error.members,
  });
}
