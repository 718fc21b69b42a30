/**
 * Recalls a pod's config without a database, because CreateContainer requires all of it again. containerd has it in the
 * verbose status. For CRI-O and cri-dockerd it comes from PodSandboxStatus, and from a small annotation in which
 * RunPodSandbox stored what the status does not return.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { type Input, readLenient } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus } from "../gen/messages.ts";
import { parseJson } from "../wire/parse-json.ts";
import { isRuntime } from "./identity.ts";
import { podConflict } from "./translate-error.ts";
import { withoutDefaults } from "./without-defaults.ts";

/** The annotation, as JSON. Replaces one of this name from the caller, because its content is trusted. */
export const keptConfigAnnotation = "crest/sandbox-config";

/** Annotations are part of every list and event, and a runtime's replies are limited to 16 MiB. */
const mostBytes = 16 * 1024;

/** What PodSandboxStatus does not return, with the most important to containers first. */
const kept = ["linux", "logDirectory", "dnsConfig", "hostname", "portMappings", "windows"] as const;

/** Adds the annotation if the runtime does not keep the config itself. */
export async function withKeptConfig(
  runtime: Runtime,
  config: Input<PodSandboxConfig>,
): Promise<Input<PodSandboxConfig>> {
  const { [keptConfigAnnotation]: _, ...annotations } = config.annotations ?? {};
  if (await isRuntime(runtime, "containerd")) return { ...config, annotations };
  return { ...config, annotations: { ...annotations, [keptConfigAnnotation]: keptText(config) } };
}

/** The members of `kept` as JSON. Skips a member that would exceed the limit. */
function keptText(config: Input<PodSandboxConfig>): string {
  const whole = withoutDefaults("PodSandboxConfig", config);
  let text = "{}";
  let members: { readonly [name: string]: unknown } = {};
  for (const name of kept) {
    if (whole[name] === undefined) continue;
    const more = { ...members, [name]: whole[name] };
    const longer = JSON.stringify(more);
    if (Buffer.byteLength(longer) > mostBytes) continue;
    text = longer;
    members = more;
  }
  return text;
}

/**
 * Returns the config that the pod was run with, as far as the runtime returns it, for a new container in it.
 *
 * @throws {GatewayError} `not_found`: when there is no such pod; `pod_not_ready`: when it is stopped, because some
 *   runtimes create containers in it that never start.
 */
export async function recallSandboxConfig(
  runtime: Runtime,
  podSandboxId: string,
): Promise<Input<PodSandboxConfig>> {
  const asked = { podSandboxId, verbose: true };
  const { status, info } = await call(runtime, "RuntimeService/PodSandboxStatus", asked, {});
  if (!status)
    throw new GatewayError("not_found", `Cannot find pod "${podSandboxId}": the runtime returned no status`);
  const conflict = podConflict("RuntimeService/CreateContainer", podSandboxId, status.state);
  if (conflict) throw conflict;
  const config = fromInfo(info.info);
  return config?.metadata ? config : fromStatus(status);
}

/** The config of a pod in a list, as far as the runtime tells; undefined when it tells nothing. */
export async function configOfListed(
  runtime: Runtime,
  { id, annotations }: PodSandbox,
  options: CallOptions,
): Promise<Input<PodSandboxConfig> | undefined> {
  if (!(await isRuntime(runtime, "containerd"))) return fromAnnotation(annotations[keptConfigAnnotation]);
  const asked = { podSandboxId: id, verbose: true };
  const { info } = await call(runtime, "RuntimeService/PodSandboxStatus", asked, options);
  return fromInfo(info.info);
}

/**
 * Completes a caller's pod config for a container with what the pod was run with. Runtimes take the container's cgroup
 * and log folder from it. CRI-O silently drops `privileged` if it has no `securityContext`, so it always has one.
 */
export function completeSandboxConfig(
  given: Input<PodSandboxConfig>,
  recalled: Input<PodSandboxConfig>,
): Input<PodSandboxConfig> {
  const said: Input<PodSandboxConfig> = withoutDefaults("PodSandboxConfig", given);
  const linux = { ...recalled.linux, ...said.linux };
  return {
    ...recalled,
    ...said,
    ...(said.metadata || recalled.metadata ? { metadata: { ...recalled.metadata, ...said.metadata } } : {}),
    linux: { ...linux, securityContext: linux.securityContext ?? {} },
  };
}

/** Reads the config that containerd keeps, in its own JSON (snake_case, enums and 64-bit integers as numbers). */
function fromInfo(info: string | undefined): Input<PodSandboxConfig> | undefined {
  if (!info) return undefined;
  try {
    const { config } = parseJson(Buffer.from(info), { exactIntegers: true }) as { config?: unknown };
    return readConfig(config);
  } catch {
    return undefined;
  }
}

function fromStatus(status: PodSandboxStatus): Input<PodSandboxConfig> {
  const { [keptConfigAnnotation]: text, ...annotations } = status.annotations;
  const options = status.linux?.namespaces?.options;
  return {
    ...(options ? { linux: { securityContext: { namespaceOptions: options } } } : {}),
    ...fromAnnotation(text),
    ...(status.metadata ? { metadata: status.metadata } : {}),
    ...{ labels: status.labels, annotations },
  };
}

function fromAnnotation(text: string | undefined): Input<PodSandboxConfig> | undefined {
  if (!text) return undefined;
  try {
    return readConfig(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Drops fields of a newer CRI than ours: we could not send them. */
function readConfig(value: unknown): Input<PodSandboxConfig> | undefined {
  return value === undefined ? undefined : (readLenient("PodSandboxConfig", value) as PodSandboxConfig);
}
