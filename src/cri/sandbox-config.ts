/**
 * Recalls a pod's config for CreateContainer, which wants the whole of it again, without a database:
 * from the runtime's verbose status where that holds it (containerd), else from what
 * PodSandboxStatus gives back.
 */

import { GatewayError } from "../errors.ts";
import type { PodSandboxConfig } from "../gen/messages.ts";
import type { Runtime } from "./channel.ts";
import { type Input, readLenient } from "./codec.ts";
import { request } from "./perform.ts";

/**
 * The config that the pod was run with, as far as the runtime tells.
 *
 * @throws {GatewayError} `not_found` when there is no such pod.
 */
export async function recallSandboxConfig(
  runtime: Runtime,
  podSandboxId: string,
): Promise<Input<PodSandboxConfig>> {
  const asked = { podSandboxId, verbose: true };
  const { status, info } = await request(runtime, "RuntimeService/PodSandboxStatus", asked, {});
  if (!status)
    throw new GatewayError("not_found", `Cannot find pod "${podSandboxId}": the runtime shows no status`);
  const kept = fromInfo(info.info);
  if (kept?.metadata) return kept;
  return {
    ...(status.metadata ? { metadata: status.metadata } : {}),
    labels: status.labels,
    annotations: status.annotations,
    ...(status.linux?.namespaces?.options
      ? { linux: { securityContext: { namespaceOptions: status.linux.namespaces.options } } }
      : {}),
  };
}

/** containerd keeps the request's config, in its own JSON (snake_case, enums by number). */
function fromInfo(info: string | undefined): Input<PodSandboxConfig> | undefined {
  if (!info) return undefined;
  try {
    const { config } = JSON.parse(info) as { config?: unknown };
    // Fields of a newer CRI than ours are dropped: what we do not know, we could not send either.
    return config === undefined ? undefined : (readLenient("PodSandboxConfig", config) as PodSandboxConfig);
  } catch {
    return undefined;
  }
}
