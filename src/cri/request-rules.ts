/**
 * Rules for requests that CRI's types do not express. They are checked before the call, so that errors name the field.
 *
 * Runtimes on Linux refuse these requests at different times and in different words: often only when the container
 * starts, and with an unknown error code. Some misbehave: containerd kills immediately when a stop timeout overflows.
 * Some crash: containerd and cri-dockerd dereference the messages that are required here without checking, so one
 * request without them stops the daemon and breaks every client's streams.
 */
import { isIP } from "node:net";
import { descriptors } from "../gen/descriptors.ts";
import { methods } from "../gen/methods.ts";
import { decodeBase64 } from "../wire/base64.ts";
import type { FieldRule, FieldRules } from "../wire/field-rule.ts";
import { capabilityMistake } from "./capability-names.ts";
import { withTextLimits } from "./text-limits.ts";

/** Runtimes count timeouts in nanoseconds, as 64-bit integers. */
const seconds: FieldRule = { minimum: 0n, maximum: 9_223_372_036n };
const maxPort = 65_535n;
/** With port 0 the CNI plugin fails to set up the pod's network, and then to tear it down. */
const containerPort: FieldRule = { required: "a port from 1 to 65535", minimum: 1n, maximum: maxPort };
const hostPort: FieldRule = { minimum: 0n, maximum: maxPort };
const absolutePath: FieldRule = { pattern: { matches: /^\//, detail: "must be an absolute path" } };
/** -1 removes the limit. */
const memory: FieldRule = { minimum: -1n };
/** Microseconds. The kernel rejects shorter periods and quotas, and longer periods. 0 leaves them unchanged. */
const tooShortForCpu = [1n, 999n] as const;
const maxCpuPeriod = 1_000_000n;
const capabilities: FieldRule = { item: capabilityMistake };
/** As CRI documents it; containerd fails with an unknown error code. */
const group: FieldRule = { onlyWith: ["runAsUser", "runAsUsername"] };

const rules: FieldRules = {
  UpdateRuntimeConfigRequest: { runtimeConfig: { required: "the node's pod network" } },
  RuntimeConfig: { networkConfig: { required: "the node's pod network" } },
  RestorePodRequest: { config: { required: "the pod's config" } },
  UpdateContainerResourcesRequest: {
    linux: { required: 'the resources to change, {"linux": {"cpuShares": "512"}}' },
  },
  PullImageRequest: {
    image: { required: 'what to pull, {"image": "busybox:1.35"}' },
    // Runtimes read little of it and require none of it, so the rules for running a pod do not apply.
    sandboxConfig: { unchecked: true },
  },
  ExecSyncRequest: {
    cmd: { required: 'what to run, {"cmd": ["ls", "-l"]}' },
    timeout: seconds,
  },
  StopContainerRequest: { timeout: seconds },
  CheckpointContainerRequest: { timeout: seconds },
  PodSandboxConfig: {
    metadata: { required: 'a pod needs a name, {"metadata": {"name": "web"}}' },
    // Longer hostnames fail on every runtime, and leave a pod behind on cri-dockerd.
    hostname: { maxBytes: 64 },
  },
  PodSandboxMetadata: { name: { required: 'a pod needs a name, {"metadata": {"name": "web"}}' } },
  PortMapping: { containerPort, hostPort, hostIp: { check: addressMistake } },
  Capability: {
    addCapabilities: capabilities,
    dropCapabilities: capabilities,
    addAmbientCapabilities: capabilities,
  },
  ContainerConfig: {
    metadata: { required: 'a container needs a name, {"metadata": {"name": "app"}}' },
    image: { required: 'a container needs an image, {"image": "busybox:1.35"}' },
    workingDir: absolutePath,
    logPath: {
      pattern: {
        matches: /^(?!.*(^|\/)\.\.(\/|$))/s,
        detail: 'must stay below the pod\'s log directory, without ".."',
      },
    },
  },
  ContainerMetadata: { name: { required: 'a container needs a name, {"metadata": {"name": "app"}}' } },
  AuthConfig: { auth: { check: credentialsMistake } },
  ImageSpec: { image: { required: 'a reference, "busybox:1.35"' } },
  KeyValue: {
    key: {
      required: "a variable needs a name",
      pattern: { matches: /^[^=\0]*$/, detail: 'must be a name without "="' },
    },
  },
  Mount: {
    containerPath: { required: 'where the mount appears, "/data"' },
    hostPath: { ...absolutePath, required: 'what is mounted, "/srv/data"', unless: "image" },
  },
  Device: {
    containerPath: { required: 'where the device appears, "/dev/fuse"' },
    hostPath: { ...absolutePath, required: 'the device, "/dev/fuse"' },
    permissions: { pattern: { matches: /^[rwm]*$/, detail: 'must consist of the letters "r", "w" and "m"' } },
  },
  LinuxContainerResources: {
    cpuPeriod: { minimum: 0n, maximum: maxCpuPeriod, except: tooShortForCpu },
    cpuQuota: { except: tooShortForCpu },
    cpuShares: { minimum: 0n },
    memoryLimitInBytes: memory,
    memorySwapLimitInBytes: memory,
    oomScoreAdj: { minimum: -1000n, maximum: 1000n },
  },
  Int64Value: { value: { minimum: 0n } },
  LinuxContainerSecurityContext: { runAsGroup: group, supplementalGroups: { minimum: 0n } },
  LinuxSandboxSecurityContext: {
    runAsGroup: { onlyWith: ["runAsUser"] },
    supplementalGroups: { minimum: 0n },
  },
};

/** All rules for the fields of a caller's request, including the limits of `text-limits.ts`. */
export const requestRules: FieldRules = withTextLimits(
  descriptors,
  Object.values(methods).map(({ request }) => request),
  rules,
);

/** The text is passed to network plugins unchanged. They do not accept a zone, as in `fe80::1%eth0`. */
function addressMistake(text: string): string | undefined {
  const isAddress = isIP(text) !== 0 && !text.includes("%");
  return isAddress ? undefined : 'must be an IP address of the node, "192.0.2.1" or "2001:db8::1"';
}

/** Runtimes quote what they cannot parse, and this is a password. */
function credentialsMistake(text: string): string | undefined {
  return decodeBase64(text)?.includes(":") ? undefined : "must be USER:PASSWORD in base64";
}
