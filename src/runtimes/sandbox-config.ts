/**
 * Recalls a pod's config for CreateContainer, which wants the whole of it again, without a database: from
 * the runtime's verbose status where that holds it (containerd), else from PodSandboxStatus and a small
 * annotation that RunPodSandbox wrote with what the status does not give back (CRI-O, cri-dockerd).
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

/** The annotation, as JSON. A caller's own of this name is replaced: what it says is trusted. */
export const keptConfigAnnotation = "crest/sandbox-config";

/** Annotations come back in every list and event, of which a runtime's replies take 16 MiB in all. */
const mostBytes = 16 * 1024;

/** What PodSandboxStatus does not give back, what matters most to a container first. */
const kept = ["linux", "logDirectory", "dnsConfig", "hostname", "portMappings", "windows"] as const;

/** The config with the annotation, where the runtime does not keep the config itself. */
export async function withKeptConfig(
  runtime: Runtime,
  config: Input<PodSandboxConfig>,
): Promise<Input<PodSandboxConfig>> {
  const { [keptConfigAnnotation]: _, ...annotations } = config.annotations ?? {};
  if (await isRuntime(runtime, "containerd")) return { ...config, annotations };
  return { ...config, annotations: { ...annotations, [keptConfigAnnotation]: keptText(config) } };
}

/** The members of `kept`; one with which the text would be over its limit is left out. */
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
 * The config that the pod was run with, as far as the runtime tells, for a container that is to be created in it.
 *
 * @throws {GatewayError} `not_found` when there is no such pod; `pod_not_ready`: on some runtimes containers can be
 *   created in a stopped pod, and never start.
 */
export async function recallSandboxConfig(
  runtime: Runtime,
  podSandboxId: string,
): Promise<Input<PodSandboxConfig>> {
  const asked = { podSandboxId, verbose: true };
  const { status, info } = await call(runtime, "RuntimeService/PodSandboxStatus", asked, {});
  if (!status)
    throw new GatewayError("not_found", `Cannot find pod "${podSandboxId}": the runtime shows no status`);
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
 * A caller's config of a pod for one of its containers, with what it leaves out as the pod was run. Runtimes take the
 * container's cgroup and its log folder from it, and CRI-O drops `privileged` in silence where it has no
 * `securityContext`, which is therefore always there.
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

/** containerd keeps the request's config, in its own JSON (snake_case, enums and 64-bit integers as numbers). */
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

/** Fields of a newer CRI than ours are dropped: what we do not know, we could not send either. */
function readConfig(value: unknown): Input<PodSandboxConfig> | undefined {
  return value === undefined ? undefined : (readLenient("PodSandboxConfig", value) as PodSandboxConfig);
}
