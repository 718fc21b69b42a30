/**
 * Errors for a pod that the runtime cannot stop or remove because its CNI plugin fails to remove the pod's network.
 * Every retry fails the same way, so the error names the ways to recover.
 */

import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { identify } from "./identity.ts";
import { from, versionOf } from "./runtime-version.ts";

/** Returns `network_teardown_failed` with the runtime's text and instructions for the node. */
export async function networkTeardownFailed(
  runtime: Runtime,
  { podSandboxId }: { readonly podSandboxId?: string },
  error: GatewayError,
): Promise<GatewayError> {
  const ways = ["Fix what the CNI plugin complains about, in its configuration on the node, and retry"];
  const identity = await identify(runtime).catch(() => undefined);
  if (podSandboxId && identity?.name === "containerd") {
    // On start, containerd drops pods whose records are gone: measured on 1.6, 1.7 and 2.1. From 2.0 on, a pod has two
    // records, and only this command removes both.
    const removal = from(2, 0)(versionOf(identity.version)) ? "sandboxes rm" : "containers delete";
    const command = `ctr --address ${runtime.endpoint} --namespace k8s.io ${removal} ${podSandboxId}`;
    ways.push(`or run "${command}" and restart containerd`);
  }
  return new GatewayError("network_teardown_failed", `${error.message}. ${ways.join(", ")}`, {
    cause: error,
    grpcCode: error.grpcCode,
    members: error.members,
  });
}
