/** A pod's config as it goes out: named, with its folders, its cgroup, and what its containers will need again. */
import { randomUUID } from "node:crypto";
import type { PodSandboxConfig, PodSandboxMetadata } from "../gen/messages.ts";
import { cgroupDriver } from "./cgroup-driver.ts";
import type { Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { identify } from "./identity.ts";
import { logFolderOf, makeLogFolder } from "./log-folders.ts";
import { podCgroup } from "./pod-cgroup.ts";
import { refusal } from "./refusals.ts";
import { withKeptConfig } from "./sandbox-config.ts";

/** The label that every pod made through Crest carries: what `--allow-unmanaged` is about. */
export const managedLabel = "crest/managed";

/**
 * Fills in what is missing: `metadata.uid` and `namespace`, a cgroup parent of its own (without one containerd has
 * no stats of any pod), the log directory below `logRoot`, and our label.
 *
 * @throws {InvalidValue} what this runtime could not use.
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
  await makeLogFolder(logDirectory, "/config/logDirectory");
  const cgroupParent = config.linux?.cgroupParent || podCgroup(await cgroupDriver(runtime), metadata.uid);
  return withKeptConfig(runtime, {
    ...config,
    ...{ metadata, logDirectory },
    labels: { ...config.labels, [managedLabel]: "true" },
    linux: { ...config.linux, cgroupParent },
  });
}

interface NameRule {
  readonly fields: readonly ("name" | "namespace" | "uid")[];
  readonly pattern: RegExp;
  readonly detail: string;
}

/** By runtime name: names that it takes and then cannot find again, or fails at without saying why. */
const nameRules: { readonly [runtimeName: string]: NameRule } = {
  docker: {
    fields: ["name", "namespace", "uid"],
    pattern: /^[A-Za-z0-9.-]+$/,
    detail: "may have letters, digits, dots and dashes only: cri-dockerd makes a container's name of it",
  },
  "cri-o": {
    fields: ["name"],
    pattern: /^[\x20-\x7e]+$/,
    detail: "may have ASCII characters only: CRI-O makes a container's name of it",
  },
};

async function refuseNames(runtime: Runtime, metadata: Input<PodSandboxMetadata>): Promise<void> {
  const rule = nameRules[(await identify(runtime)).name];
  for (const field of rule?.fields ?? []) {
    const value = metadata[field] ?? "";
    if (rule && !rule.pattern.test(value))
      throw refusal(`/config/metadata/${field}`, `${rule.detail}, got ${JSON.stringify(value)}`);
  }
}
