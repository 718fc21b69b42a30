/**
 * What CRI's types do not say of a request, told before the call, with the field.
 *
 * Runtimes on Linux refuse these things each at a moment and in words of its own: often only when the
 * container starts, and as an error of unknown kind. Some do something else: containerd kills at once when
 * a stop's timeout overflows. And some die: containerd and cri-dockerd dereference the messages that are
 * required here unchecked, and one request without them ends the daemon, with every client's streams.
 */
import { isIP } from "node:net";
import { descriptors } from "../gen/descriptors.ts";
import { methods } from "../gen/methods.ts";
import { decodeBase64 } from "../wire/base64.ts";
import type { FieldRule, FieldRules } from "../wire/field-rule.ts";
import { capabilityMistake } from "./capability-names.ts";
import { withTextLimits } from "./text-limits.ts";

/** Runtimes count time-outs in nanoseconds, in 64 bits. */
const seconds: FieldRule = { minimum: 0n, maximum: 9_223_372_036n };
const maxPort = 65_535n;
/** With port 0 the CNI plug-in fails to set the pod's network up, and then to tear it down. */
const containerPort: FieldRule = { required: "a port from 1 to 65535", minimum: 1n, maximum: maxPort };
const hostPort: FieldRule = { minimum: 0n, maximum: maxPort };
const absolutePath: FieldRule = { pattern: { matches: /^\//, detail: "must be an absolute path" } };
/** -1 lifts the limit. */
const memory: FieldRule = { minimum: -1n };
/** Microseconds: the kernel takes no less for a period and a quota, and no more for a period. 0 leaves them as they are. */
const tooShortForCpu = [1n, 999n] as const;
const maxCpuPeriod = 1_000_000n;
const capabilities: FieldRule = { item: capabilityMistake };
/** So CRI says it; containerd fails with an error of unknown kind. */
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
    // Runtimes read little of it and need none of it: what a pod must have to be run is not asked here.
    sandboxConfig: { unchecked: true },
  },
  ExecSyncRequest: {
    cmd: { required: 'what to run, {"cmd": ["ls", "-l"]}' },
    timeout: seconds,
  },
  StopContainerRequest: { timeout: seconds },
  CheckpointContainerRequest: { timeout: seconds },
  PodSandboxConfig: {
    metadata: { required: 'a pod has a name, {"metadata": {"name": "web"}}' },
    // Longer ones fail on every runtime, and leave a pod behind on cri-dockerd.
    hostname: { maxBytes: 64 },
  },
  PodSandboxMetadata: { name: { required: 'a pod has a name, {"metadata": {"name": "web"}}' } },
  PortMapping: { containerPort, hostPort, hostIp: { check: addressMistake } },
  Capability: {
    addCapabilities: capabilities,
    dropCapabilities: capabilities,
    addAmbientCapabilities: capabilities,
  },
  ContainerConfig: {
    metadata: { required: 'a container has a name, {"metadata": {"name": "app"}}' },
    image: { required: 'a container has an image, {"image": "busybox:1.35"}' },
    workingDir: absolutePath,
    logPath: {
      pattern: {
        matches: /^(?!.*(^|\/)\.\.(\/|$))/s,
        detail: 'must stay below the pod\'s log directory, without ".."',
      },
    },
  },
  ContainerMetadata: { name: { required: 'a container has a name, {"metadata": {"name": "app"}}' } },
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
    permissions: { pattern: { matches: /^[rwm]*$/, detail: 'must be of the letters "r", "w" and "m"' } },
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

/** Every rule for the fields of a caller's request, the limits of `text-limits.ts` included. */
export const requestRules: FieldRules = withTextLimits(
  descriptors,
  Object.values(methods).map(({ request }) => request),
  rules,
);

/** Network plugins are handed the text as it is. A zone, as in `fe80::1%eth0`, is no part of an address to them. */
function addressMistake(text: string): string | undefined {
  const isAddress = isIP(text) !== 0 && !text.includes("%");
  return isAddress ? undefined : 'must be an IP address of the node, "192.0.2.1" or "2001:db8::1"';
}

/** Runtimes quote what they cannot read, and this is a password. */
function credentialsMistake(text: string): string | undefined {
  return decodeBase64(text)?.includes(":") ? undefined : "must be USER:PASSWORD in base64";
}
