/** Completes a pod's config before it is sent: names, folders, cgroup, and what its containers will need later. */
import { randomUUID } from "node:crypto";
import type { Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import type { PodSandboxConfig, PodSandboxMetadata } from "../gen/messages.ts";
import { cgroupDriver } from "./cgroup-driver.ts";
import { identify } from "./identity.ts";
import { logFolderOf } from "./log-folders.ts";
import { podCgroup } from "./pod-cgroup.ts";
import { refusal } from "./refusals.ts";
import { withKeptConfig } from "./sandbox-config.ts";

/** The label of every pod created through Crest, which `--allow-unmanaged` checks. */
export const managedLabel = "crest/managed";

/**
 * Fills in what is missing: `metadata.uid` and `namespace`, a cgroup parent for each pod (without one, containerd has
 * no stats for any pod), the log directory below `logRoot`, and our label.
 *
 * @throws {InvalidValue} When this runtime could not use the config.
 */
export async function completePodConfig(
  runtime: Runtime,
  config: Input<PodSandboxConfig>,
  logRoot: string,
): Promise<Input<PodSandboxConfig>> {
  const metadata = {
    ...config.metadata,
    uid: config.metadata?.uid || randomUUID(),
    namespace: config.metadata?.namespace || "default",
  };
  await refuseNames(runtime, metadata);
  const logDirectory = config.logDirectory || logFolderOf(logRoot, metadata);
  const cgroupParent = config.linux?.cgroupParent || podCgroup(await cgroupDriver(runtime), metadata.uid);
  return withKeptConfig(runtime, {
    ...config,
    ...{ metadata, logDirectory },
    labels: { ...config.labels, [managedLabel]: "true" },
    linux: { ...config.linux, cgroupParent },
  });
}

interface NameRule {
  readonly matches: RegExp;
  readonly detail: string;
}

type Named = "name" | "namespace" | "uid";

/**
 * Runtimes pass these to network plugins as `CNI_ARGS`, `KEY=VALUE;KEY=VALUE`. A pod called `x=y` could no longer be
 * removed from its network, and one called `a;IP=10.0.0.1` would choose its own address. Container names are not passed
 * on.
 */
const networkRule: NameRule = {
  matches: /^[^=;\p{Cc}]*$/u,
  detail: 'must not contain "=", ";" or control characters: the runtime passes it to network plugins',
};

const dockerRule: NameRule = {
  matches: /^[A-Za-z0-9.-]+$/,
  detail: "may contain only letters, digits, dots and dashes: cri-dockerd uses it in container names",
};

/** By runtime name: rules for names that it accepts but cannot find later, or rejects without a reason. */
const rulesOf: { readonly [runtimeName: string]: { readonly [F in Named]?: NameRule } } = {
  docker: { name: dockerRule, namespace: dockerRule, uid: dockerRule },
  "cri-o": {
    name: {
      matches: /^[\x20-\x7e]+$/,
      detail: "may contain only ASCII characters: CRI-O uses it in container names",
    },
  },
};

async function refuseNames(runtime: Runtime, metadata: Input<PodSandboxMetadata>): Promise<void> {
  const own = rulesOf[(await identify(runtime)).name];
  for (const field of ["name", "namespace", "uid"] as const) {
    const value = metadata[field] ?? "";
    for (const rule of [own?.[field], networkRule]) {
      if (rule === undefined || rule.matches.test(value)) continue;
      throw refusal(`/config/metadata/${field}`, `${rule.detail}, got ${JSON.stringify(value)}`);
    }
  }
}
