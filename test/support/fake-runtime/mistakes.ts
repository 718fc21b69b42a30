/**
 * Requests that the node cannot fulfil: how each runtime reports them, and at which step. containerd runs runc, CRI-O
 * runs crun.
 */
import { type GrpcFault, notFound, unknown } from "./fault.ts";
import type { Manner } from "./manner.ts";
import type { ContainerConfig, LinuxContainerResources, PodSandboxConfig } from "./messages.ts";
import type { State } from "./state.ts";
import type { World } from "./world.ts";

/** The step at which a mistake is detected. */
export type Step = "run pod" | "create" | "start" | "update";

/** The fake's node: two CPUs, these devices, no shared mounts, numeric sysctls. */
const cpus = "0-1";
const devices: ReadonlySet<string> = new Set(["/dev/null", "/dev/fuse"]);
const numeric: ReadonlySet<string> = new Set(["net.ipv4.ip_forward", "net.core.somaxconn"]);
const capabilities = /^(ALL|NET_ADMIN|SYS_ADMIN|CHOWN)$/;
const minMemoryBytes = 12 << 20;

type Mistake =
  | "memory too low"
  | "CPUs"
  | "CPU period"
  | "capability"
  | "seccomp profile"
  | "PID target"
  | "device"
  | "image mount"
  | "mount that is not shared"
  | "sysctl name"
  | "sysctl value"
  | "no program";

interface Wording {
  readonly at: Step;
  /** `value` is the text from the caller, `id` the container's id. */
  readonly says: (value: string, id: string) => GrpcFault;
}

type Wordings = { readonly [M in Mistake]?: Wording };

const runcFailed =
  "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process";
const specFailed = (id: string) => `failed to generate container "${id}" spec: failed to generate spec`;
const cgroup = (controller: string, id: string) => `/sys/fs/cgroup/${controller}/k8s.io/${id}`;

const containerd: Wordings = {
  "memory too low": {
    at: "start",
    says: () => unknown(`${runcFailed}: container init was OOM-killed (memory limit too low?): unknown`),
  },
  CPUs: {
    at: "start",
    says: (value, id) =>
      unknown(
        `${runcFailed}: unable to apply cgroup configuration: failed to write "${value}": write ${cgroup("cpuset", id)}/cpuset.cpus: numerical result out of range: unknown`,
      ),
  },
  "seccomp profile": {
    at: "create",
    says: (value, id) =>
      unknown(
        `failed to generate container "${id}" spec: failed to generate seccomp spec opts: cannot load seccomp profile "${value}": open ${value}: no such file or directory`,
      ),
  },
  "PID target": {
    at: "create",
    says: (value, id) =>
      notFound(
        `failed to generate container "${id}" spec: invalid target container: container "${value}" does not exist: not found`,
      ),
  },
  device: {
    at: "create",
    says: (value, id) => unknown(`${specFailed(id)}: lstat ${value}: no such file or directory`),
  },
  "image mount": {
    at: "create",
    says: (_value, id) => unknown(`${specFailed(id)}: failed to mkdir "": mkdir : no such file or directory`),
  },
  "mount that is not shared": {
    at: "create",
    says: (value, id) =>
      unknown(`${specFailed(id)}: path "${value}" is mounted on "/" but it is not a shared or slave mount`),
  },
  "sysctl name": {
    at: "run pod",
    says: (value) =>
      unknown(`${runcFailed}: open /proc/sys/${pathOf(value)}: no such file or directory: unknown`),
  },
  "sysctl value": {
    at: "run pod",
    says: (value) => unknown(`${runcFailed}: write /proc/sys/${pathOf(value)}: invalid argument: unknown`),
  },
  "no program": {
    at: "start",
    says: (value) => unknown(`${runcFailed}: exec: "${value}": permission denied: unknown`),
  },
};

const criO: Wordings = {
  "memory too low": {
    at: "create",
    says: (value) => unknown(`set memory limit ${value} too low; should be at least ${minMemoryBytes} bytes`),
  },
  CPUs: {
    at: "create",
    says: () => unknown("container create failed: write to `cpuset.cpus`: Numerical result out of range"),
  },
  capability: {
    at: "create",
    says: (value) => unknown(`unknown capability "CAP_${value}" to add`),
  },
  "seccomp profile": {
    at: "create",
    says: (value) =>
      unknown(
        `setup seccomp: unable to load local profile "${value}": open ${value}: no such file or directory`,
      ),
  },
  "PID target": {
    at: "create",
    says: () => unknown("target PID namespace specified with invalid target ID"),
  },
  "mount that is not shared": {
    at: "create",
    says: (value) => unknown(`path "${value}" is mounted on "/" but it is not a shared or slave mount`),
  },
  "sysctl name": {
    at: "run pod",
    says: (value) =>
      unknown(
        `failed to pin namespaces [{net}]: [pinns:w]: failed to open /proc/sys/${pathOf(value)}: No such file or directory: exit status 1`,
      ),
  },
  "sysctl value": {
    at: "run pod",
    says: (value) =>
      unknown(
        `failed to pin namespaces [{net}]: [pinns:w]: failed to write to /proc/sys/${pathOf(value)}: Invalid argument: exit status 1`,
      ),
  },
  "no program": {
    at: "create",
    says: (value) =>
      unknown(
        `container create failed: time="2026-11-28T14:07:04Z" level=error msg="runc create failed: unable to start container process: exec: \\"${value}\\": permission denied"`,
      ),
  },
};

const refusedByDocker = (text: string) => unknown(`Error response from daemon: ${text}`);
const startFailed = (id: string, text: string) =>
  unknown(`failed to start container "${id}": Error response from daemon: ${text}`);
const taskFailed =
  "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process";

const criDockerd: Wordings = {
  "memory too low": { at: "create", says: () => refusedByDocker("Minimum memory limit allowed is 6MB") },
  CPUs: {
    at: "create",
    says: (value) =>
      refusedByDocker(`Requested CPUs are not available - requested ${value}, available: ${cpus}`),
  },
  "CPU period": {
    at: "create",
    says: () =>
      refusedByDocker("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
  },
  capability: {
    at: "create",
    says: (value) => refusedByDocker(`invalid CapAdd: unknown capability: "CAP_${value}"`),
  },
  "seccomp profile": {
    at: "create",
    says: (value) =>
      unknown(
        `failed to generate security options for container "app": failed to generate seccomp security options for container: cannot load seccomp profile "${value}": open ${value}: no such file or directory`,
      ),
  },
  "PID target": {
    at: "start",
    says: (value, id) => startFailed(id, `No such container: ${value}`),
  },
  device: {
    at: "start",
    says: (value, id) =>
      startFailed(
        id,
        `error gathering device information while adding custom device "${value}": no such file or directory`,
      ),
  },
  "image mount": {
    at: "create",
    says: () => refusedByDocker('invalid mount config for type "bind": field Source must not be empty'),
  },
  "mount that is not shared": {
    at: "start",
    says: (value, id) =>
      startFailed(id, `path ${value} is mounted on / but it is not a shared or slave mount`),
  },
  "sysctl name": {
    at: "run pod",
    says: (value) =>
      unknown(
        `failed to start sandbox container for pod "web": Error response from daemon: ${taskFailed}: open /proc/sys/${pathOf(value)}: no such file or directory: unknown`,
      ),
  },
  "sysctl value": {
    at: "run pod",
    says: (value) =>
      unknown(
        `failed to start sandbox container for pod "web": Error response from daemon: ${taskFailed}: write /proc/sys/${pathOf(value)}: invalid argument: unknown`,
      ),
  },
  "no program": {
    at: "start",
    says: (value, id) => startFailed(id, `${taskFailed}: exec: "${value}": permission denied: unknown`),
  },
};

const wordings: { readonly [F in Manner["family"]]: Wordings } = {
  containerd,
  "cri-o": criO,
  "cri-dockerd": criDockerd,
};

/** When the resources of a running container change, the cgroup itself rejects the value. */
const updates: { readonly [F in Manner["family"]]: Wordings } = {
  containerd: {
    "memory too low": {
      at: "update",
      says: (value) =>
        unknown(
          `failed to update resources: failed to update resources: runc did not terminate successfully: exit status 1: unable to set memory limit to ${value} (current usage: 221184, peak usage: 2256896)\n: unknown`,
        ),
    },
    CPUs: {
      at: "update",
      says: (value, id) =>
        unknown(
          `failed to update resources: failed to update resources: runc did not terminate successfully: exit status 1: failed to write "${value}": write ${cgroup("cpuset", id)}/cpuset.cpus: numerical result out of range\n: unknown`,
        ),
    },
  },
  "cri-o": {
    "memory too low": {
      at: "update",
      says: () =>
        unknown(
          "updating resources: `/usr/bin/crun update`: write to `memory.limit_in_bytes`: Device or resource busy: exit status 1",
        ),
    },
    CPUs: {
      at: "update",
      says: () =>
        unknown(
          "updating resources: `/usr/bin/crun update`: write to `cpuset.cpus`: Numerical result out of range: exit status 1",
        ),
    },
  },
  "cri-dockerd": {
    "memory too low": { ...criDockerd["memory too low"], at: "update" } as Wording,
    CPUs: { ...criDockerd.CPUs, at: "update" } as Wording,
  },
};

/** Files in the fake's images that are not executable. */
const notPrograms: ReadonlySet<string> = new Set(["/etc/passwd", "/"]);

function ofResources(resources: LinuxContainerResources = {}): readonly (readonly [Mistake, string])[] {
  const { memoryLimitInBytes = "0", cpusetCpus = "", cpuPeriod = "0" } = resources;
  const found: (readonly [Mistake, string])[] = [];
  if (Number(memoryLimitInBytes) > 0 && Number(memoryLimitInBytes) < minMemoryBytes)
    found.push(["memory too low", memoryLimitInBytes]);
  if (cpusetCpus !== "" && !/^[01](-1)?$/.test(cpusetCpus)) found.push(["CPUs", cpusetCpus]);
  if (Number(cpuPeriod) > 0 && Number(cpuPeriod) < 1000) found.push(["CPU period", cpuPeriod]);
  return found;
}

function ofContainer(config: ContainerConfig, state: State): readonly (readonly [Mistake, string])[] {
  const { securityContext, resources } = config.linux ?? {};
  const found = [...ofResources(resources)];
  const unknownName = securityContext?.capabilities?.addCapabilities?.find(
    (name) => !capabilities.test(name),
  );
  if (unknownName !== undefined) found.push(["capability", unknownName]);
  const { profileType, localhostRef = "" } = securityContext?.seccomp ?? {};
  if (profileType === "Localhost") found.push(["seccomp profile", localhostRef]);
  const { pid, targetId = "" } = securityContext?.namespaceOptions ?? {};
  if (pid === "TARGET" && !state.containers.has(targetId)) found.push(["PID target", targetId]);
  for (const { hostPath = "" } of config.devices ?? [])
    if (!devices.has(hostPath)) found.push(["device", hostPath]);
  for (const { hostPath = "", image, propagation = "PROPAGATION_PRIVATE" } of config.mounts ?? []) {
    if (image !== undefined) found.push(["image mount", image.image ?? ""]);
    else if (propagation !== "PROPAGATION_PRIVATE") found.push(["mount that is not shared", hostPath]);
  }
  const [program = ""] = config.command ?? [];
  if (notPrograms.has(program)) found.push(["no program", program]);
  return found;
}

function ofPod({ linux }: PodSandboxConfig): readonly (readonly [Mistake, string])[] {
  return Object.entries(linux?.sysctls ?? {}).flatMap(([name, value]): (readonly [Mistake, string])[] => {
    if (name.startsWith("net.ipv4.no_such")) return [["sysctl name", name]];
    return numeric.has(name) && !/^\d+$/.test(value) ? [["sysctl value", name]] : [];
  });
}

function faultOf(
  all: Wordings,
  step: Step,
  { mistakes, id }: { readonly mistakes: readonly (readonly [Mistake, string])[]; readonly id: string },
): GrpcFault | undefined {
  for (const [mistake, value] of mistakes) {
    const wording = all[mistake];
    if (wording?.at === step) return wording.says(value, id);
  }
  return undefined;
}

/** The error for a container config at one step, in the runtime's words. */
export function containerMistake(
  { manner: { family, name }, state }: World,
  step: "create" | "start",
  { config, id }: { readonly config: ContainerConfig; readonly id: string },
): GrpcFault | undefined {
  if (!state.isNodeLimited) return undefined;
  // The image field exists from 2.1 on. Older versions ignore it and see a mount without a source.
  const mountsImages = name === "containerd-2.1";
  const mistakes = ofContainer(config, state).filter(([what]) => !(mountsImages && what === "image mount"));
  return faultOf(wordings[family], step, { mistakes, id });
}

/** The error for a pod config, in the runtime's words. */
export function podMistake({ manner, state }: World, config: PodSandboxConfig): GrpcFault | undefined {
  if (!state.isNodeLimited) return undefined;
  return faultOf(wordings[manner.family], "run pod", { mistakes: ofPod(config), id: "" });
}

/** The error for new resources, in the runtime's words. */
export function updateMistake(
  { manner, state }: World,
  resources: LinuxContainerResources | undefined,
  id: string,
): GrpcFault | undefined {
  if (!state.isNodeLimited) return undefined;
  return faultOf(updates[manner.family], "update", { mistakes: ofResources(resources), id });
}

/** Converts a sysctl to a path below /proc/sys. */
const pathOf = (name: string): string => name.replaceAll(".", "/");
