/**
 * The policy of every field of every request that changes something. A test fails when a field has none.
 *
 * The levels follow Kubernetes' Pod Security Standards. `baseline` is theirs, with `no_new_privs`, the runtime's seccomp
 * profile and no NET_RAW on top. `restricted` adds users other than root, a read-only root and a memory limit.
 */

import { plainCapability } from "../../cri/capability-names.ts";
import type { Input } from "../../cri/codec.ts";
import type {
  IDMapping,
  ImageSpec,
  Int64Value,
  LinuxContainerResources,
  Mount,
  PodSandboxConfig,
  SecurityProfile,
  UserNamespace,
} from "../../gen/messages.ts";
import type { HostWordName, PolicyLevel } from "../../grants.ts";
import { narrowingMountOptions } from "../../runtimes/dropped-fields.ts";
import { normalReference } from "../reference.ts";
import type { Ask } from "./ask.ts";
import { dockerCapabilities, isActedOn, maskedPaths, readonlyPaths, safeSysctls } from "./safe-values.ts";

/** What a field's policy may know besides its value. */
export interface At {
  readonly level: PolicyLevel;
  /** Whether the field is in a security context that is privileged, and may be. Nothing is then filled in. */
  readonly isPrivileged: boolean;
  /** The message that has the field. */
  readonly parent: { readonly [field: string]: unknown };
  /** Whether the caller has this host word. */
  holds(word: HostWordName, value?: string): boolean;
  /** The log folder that Crest gives a pod with this config. */
  logFolderOf(config: Input<PodSandboxConfig>): string;
  /** Whether Crest gives a pod with this uid the cgroup. */
  isPodCgroup(cgroup: string, uid: string): boolean;
  /** The pod's config that contains the field. */
  readonly pod: Input<PodSandboxConfig>;
  /** Whether the node has a file of this name, from the root folder on. */
  isFile(name: string): boolean;
  /** Whether this image of the node is a checkpoint. */
  isCheckpoint(image: string): boolean;
}

/** The policy of one field. */
export interface Rule {
  /** The message's fields have policies of their own. */
  readonly inside?: true;
  /** Looks inside an absent message too, because something must be asked or filled in. */
  readonly always?: true;
  /** Nothing below is filled in: the message describes a pod that exists. */
  readonly asIs?: true;
  /** What the value asks of the node. Nothing: it is within the level. */
  readonly asks?: (value: never, at: At) => readonly Ask[];
  /** The safe value, where the caller does not hold what would permit an unsafe one. */
  readonly fill?: (value: never, at: At) => unknown;
}

/** `free`: no value of the field reaches the node. */
export type FieldPolicy = "free" | Rule;

// ---- The kinds of rules ----

const inside: Rule = { inside: true };
const always: Rule = { inside: true, always: true };
const described: Rule = { inside: true, asIs: true };

/** Only all of `host` permits a value. */
const opaque = (what: string): Rule => ({
  asks: (value: object | undefined) => (isEmpty(value) ? [] : [{ detail: `gives the runtime ${what}` }]),
});

const isEmpty = (value: object | undefined): boolean =>
  value === undefined || Object.keys(value).length === 0;

/** `POD` and `CONTAINER` are the pod's and the container's own. */
const namespace = (word: "network" | "pid" | "ipc"): Rule => ({
  asks(mode: string = "POD") {
    if (mode === "POD" || mode === "CONTAINER") return [];
    const whose = mode === "NODE" ? "the node" : "another container";
    return [{ word, detail: `uses the ${word} namespace of ${whose}` }];
  },
});

const privileged: Rule = {
  asks: (value = false) => (value ? [{ word: "privileged", detail: "runs privileged" }] : []),
};

const hostPort: Rule = {
  asks: (port = 0) =>
    port === 0 ? [] : [{ word: "port", value: String(port), detail: `publishes port ${port} of the node` }],
};

const capabilities: Rule = {
  asks: (names: readonly string[] = [], { level }) =>
    names.map(plainCapability).flatMap((name, at) => {
      const isSafe = level === "restricted" ? name === "NET_BIND_SERVICE" : dockerCapabilities.has(name);
      return isSafe ? [] : [{ at, word: "cap", value: name, detail: `adds the capability ${name}` }];
    }),
};

const droppedCapabilities: Rule = {
  fill(names: readonly string[] = [], { level, holds, isPrivileged, parent }) {
    if (isPrivileged) return names;
    const dropped = level === "restricted" ? "ALL" : "NET_RAW";
    const added = (parent.addCapabilities ?? []) as readonly string[];
    if (holds("cap", dropped) || added.map(plainCapability).includes("ALL")) return names;
    if (names.map(plainCapability).includes(dropped)) return names;
    return [...names, dropped];
  },
};

const seccomp: Rule = {
  asks: (profile: Input<SecurityProfile> | undefined) => profileAsks(profile, "seccomp"),
  fill(profile: Input<SecurityProfile> | undefined, at) {
    if (profile !== undefined || at.parent.seccompProfilePath) return profile;
    return at.isPrivileged || at.holds("unconfined") ? undefined : { profileType: "RuntimeDefault" };
  },
};

/** Runtimes use their own profile where none is given, and refuse one where the node has no AppArmor. */
const apparmor: Rule = {
  asks: (profile: Input<SecurityProfile> | undefined) => profileAsks(profile, "apparmor"),
};

function profileAsks(
  { profileType = "RuntimeDefault", localhostRef = "" }: Input<SecurityProfile> = {},
  word: "seccomp" | "apparmor",
): readonly Ask[] {
  if (profileType === "RuntimeDefault") return [];
  if (profileType === "Unconfined") return [{ word: "unconfined", detail: `runs without a ${word} profile` }];
  const detail = `uses the ${word} profile ${localhostRef} of the node`;
  return [{ at: "localhostRef", word, value: localhostRef, detail }];
}

/** The older form of a profile: `runtime/default`, `unconfined`, `localhost/NAME`. */
const profileText = (word: "seccomp" | "apparmor"): Rule => ({
  asks(text: string = "") {
    if (["", "runtime/default", "docker/default"].includes(text)) return [];
    if (text === "unconfined") return profileAsks({ profileType: "Unconfined" }, word);
    const value = text.replace(/^localhost\//, "");
    return [{ word, value, prefix: "localhost/", detail: `uses the ${word} profile ${value} of the node` }];
  },
});

const selinuxTypes: ReadonlySet<string> = new Set([
  "",
  "container_t",
  "container_init_t",
  "container_kvm_t",
  "container_engine_t",
]);

const selinux = (what: "user" | "role" | "type"): Rule => ({
  asks(value = "") {
    const isSafe = what === "type" ? selinuxTypes.has(value) : value === "";
    return isSafe ? [] : [{ word: "selinux", value, detail: `has the SELinux ${what} ${value}` }];
  },
});

/** Adds `paths` to those that are given. */
const hidden = (paths: readonly string[]): Rule => ({
  fill(given: readonly string[] = [], at) {
    if (at.holds("unmasked") || at.isPrivileged) return given;
    return [...given, ...paths.filter((path) => !given.includes(path))];
  },
});

/** Sets a switch, unless the caller may leave it off. */
const switchedOn = (word: "escalation" | "writable", level: PolicyLevel): Rule => ({
  fill(value: boolean | undefined, at) {
    const isDue = level === "baseline" || at.level === level;
    return isDue && !at.isPrivileged && !at.holds(word) ? true : value;
  },
});

const user = (what: "user" | "group"): Rule => ({
  asks(id: Input<Int64Value> | undefined, { level, parent }) {
    if (level !== "restricted" || BigInt(id?.value ?? 0) > 0n) return [];
    const field = what === "user" ? "runAsUser" : "runAsGroup";
    const named = what === "user" && id === undefined && parent.runAsUsername ? ", by number" : "";
    const given = id === undefined ? "is not given: the image's may be root" : "is root";
    return [{ word: "root", detail: `${given}; give a ${field} other than 0${named}` }];
  },
});

const groups: Rule = {
  asks: (ids: readonly (string | number)[] = [], { level }) =>
    ids.flatMap((id, at) =>
      level === "restricted" && BigInt(id) === 0n ? [{ at, word: "root", detail: "is the group root" }] : [],
    ),
};

const memory: Rule = {
  inside: true,
  asks(resources: Input<LinuxContainerResources> | undefined, { level }) {
    if (level !== "restricted" || BigInt(resources?.memoryLimitInBytes ?? 0) !== 0n) return [];
    return [{ word: "unlimited", detail: "has no memory limit; give memoryLimitInBytes" }];
  },
};

const memoryLimit: Rule = {
  asks: (bytes: string | number = 0, { level }) =>
    level === "restricted" && BigInt(bytes) < 0n
      ? [{ word: "unlimited", detail: "removes the memory limit" }]
      : [],
};

const oomScore: Rule = {
  asks: (score: string | number = 0) =>
    BigInt(score) < 0n ? [{ word: "oom", detail: "is spared when memory runs out" }] : [],
};

const rawCgroup: Rule = {
  asks: (values: object | undefined) =>
    isEmpty(values) ? [] : [{ word: "cgroup", detail: "sets raw values of a cgroup" }],
};

const cgroupParent: Rule = {
  asks(path = "", { isPodCgroup, pod }) {
    if (path === "" || isPodCgroup(path, pod.metadata?.uid ?? "")) return [];
    return [{ word: "cgroup", detail: `chooses the cgroup ${path}` }];
  },
};

const sysctls: Rule = {
  asks: (values: { readonly [name: string]: string } = {}, { pod }) =>
    Object.keys(values).flatMap((name) => {
      const isOfNode = pod.linux?.securityContext?.namespaceOptions?.network === "NODE";
      if (safeSysctls.has(name) && !(isOfNode && name.startsWith("net."))) return [];
      const detail = `sets the sysctl ${name}`;
      // Other spellings of a name, with slashes, match no word.
      return [
        /^[\w.-]+$/.test(name) ? { at: name, word: "sysctl", value: name, detail } : { at: name, detail },
      ];
    }),
};

/** containerd keeps the labels of CRI as its own. */
const keys = (what: "annotation" | "label"): Rule => ({
  asks: (values: { readonly [key: string]: string } = {}) =>
    Object.keys(values)
      .filter(isActedOn)
      .map((at) => ({
        at,
        word: "annotation",
        value: at,
        detail: `has the ${what} ${at}, which runtimes act on`,
      })),
});
const annotations = keys("annotation");
const labels = keys("label");

/** With it, containerd's restart monitor acts on a container: it runs, as root, a program that another label names. */
const restartLabel = "containerd.io/restart.status";

/** containerd takes the labels of the image, too, unless the request has them. It drops empty ones. */
const containerLabels: Rule = {
  ...labels,
  fill(values: { readonly [key: string]: string } | undefined, { holds }) {
    return holds("annotation", restartLabel) ? values : { ...values, [restartLabel]: "" };
  },
};

const handler: Rule = {
  asks: (name = "") =>
    name === "" ? [] : [{ word: "runtime", value: name, detail: `uses the runtime handler ${name}` }],
};

const windows: Rule = {
  asks: (value: object | undefined) =>
    isEmpty(value) ? [] : [{ word: "windows", detail: "has a Windows config" }],
};

const logDirectory: Rule = {
  asks(path = "", { logFolderOf, pod }) {
    if (path === "" || path === logFolderOf(pod)) return [];
    return [{ word: "logs", value: path, creates: true, detail: `keeps logs in ${path}` }];
  },
};

const logPath: Rule = {
  asks: (path: string = "") =>
    path === "" || path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
      ? []
      : [{ detail: "is no plain relative path, such as web/0.log" }],
};

const checkpointPath = (creates: boolean): Rule => ({
  asks: (path = "") =>
    path === ""
      ? []
      : [{ word: "checkpoint", value: path, creates, detail: `${creates ? "writes" : "restores"} ${path}` }],
});

const usernsOptions: Rule = {
  asks: (options: Input<UserNamespace> | undefined) =>
    options === undefined || options.mode === "NODE"
      ? []
      : [{ word: "userns", detail: "chooses the users of the node that its own are mapped to" }],
};

const idMappings: Rule = {
  asks: (mappings: readonly Input<IDMapping>[] = []) =>
    mappings.length === 0
      ? []
      : [{ word: "userns", detail: "chooses the users of the node that those of the mount are mapped to" }],
};

const hostPath: Rule = {
  asks(path: string = "", { parent }) {
    const { image, readonly = false, selinuxRelabel = false } = parent as Input<Mount>;
    if (image !== undefined && path === "") return [];
    const isReadonly = readonly && !selinuxRelabel;
    const how = isReadonly ? "" : ", writable";
    return [{ word: "mount", value: path, readonly: isReadonly, detail: `mounts ${path} of the node${how}` }];
  },
};

const propagation: Rule = {
  asks: (value = "PROPAGATION_PRIVATE") =>
    value === "PROPAGATION_PRIVATE" ? [] : [{ word: "propagation", detail: `has ${value}` }],
};

const mountOptions: Rule = {
  asks: (options: readonly string[] = []) =>
    options.flatMap((option, at) =>
      narrowingMountOptions.has(option) ? [] : [{ at, detail: `has the mount option "${option}"` }],
    ),
};

const subPath: Rule = {
  asks: (path: string = "") => (path.split("/").includes("..") ? [{ detail: 'has ".." in it' }] : []),
};

const device: Rule = {
  asks: (path = "") => [{ word: "device", value: path, detail: `uses the device ${path}` }],
};

const cdiDevice: Rule = {
  asks: (name = "") => [{ word: "cdi", value: name, detail: `uses the CDI device ${name}` }],
};

/** Runtimes restore a container from its image if that is a file: containerd 2 and CRI-O. */
function fileAsks({ image = "" }: Input<ImageSpec>, { isFile }: At): readonly Ask[] {
  if (!image.startsWith("/") && !image.startsWith(".") && !isFile(image)) return [];
  const detail = `restores the checkpoint ${image}`;
  return [{ member: "image", word: "checkpoint", value: `/${image.replace(/^\/+/, "")}`, detail }];
}

/** A restored process keeps the rights that the checkpoint says. */
const containerImage: Rule = {
  inside: true,
  asks(spec: Input<ImageSpec> = {}, at) {
    const { image = "" } = spec;
    if (!at.isCheckpoint(image)) return fileAsks(spec, at);
    return [{ detail: `restores a container, because the image ${image} is a checkpoint` }];
  },
};

/** An image whose files are mounted must be one that the caller may pull. */
const mountedImage: Rule = {
  inside: true,
  asks(image: Input<ImageSpec> | undefined, at) {
    if (image === undefined) return [];
    const reference = normalReference(image.image ?? "");
    return [...fileAsks(image, at), { reference, detail: `mounts the image ${image.image ?? ""}` }];
  },
};

/** A pod whose config names no namespaces would share one process namespace. */
const podNamespaces: Rule = {
  inside: true,
  fill: (options: object | undefined, at) => options ?? (at.isPrivileged ? undefined : { pid: "CONTAINER" }),
};

// ---- The table ----

/** Message -> field -> its policy, in CRI's order. Starts at the requests and covers what `inside` leads to. */
export const fieldPolicies: { readonly [message: string]: { readonly [field: string]: FieldPolicy } } = {
  RunPodSandboxRequest: { config: always, runtimeHandler: handler },
  PodSandboxConfig: {
    metadata: "free",
    hostname: "free",
    logDirectory,
    dnsConfig: "free",
    portMappings: inside,
    labels,
    annotations,
    linux: always,
    windows,
  },
  PortMapping: { protocol: "free", containerPort: "free", hostPort, hostIp: "free" },
  LinuxPodSandboxConfig: {
    cgroupParent,
    securityContext: always,
    sysctls,
    overhead: inside,
    resources: inside,
  },
  // No caller's code runs in the sandbox's own container, so that its user and root file system are free.
  LinuxSandboxSecurityContext: {
    namespaceOptions: podNamespaces,
    selinuxOptions: inside,
    runAsUser: "free",
    readonlyRootfs: "free",
    supplementalGroups: "free",
    privileged,
    seccompProfilePath: profileText("seccomp"),
    runAsGroup: "free",
    seccomp,
    apparmor,
    supplementalGroupsPolicy: "free",
  },
  NamespaceOption: {
    network: namespace("network"),
    pid: namespace("pid"),
    ipc: namespace("ipc"),
    // Only with `pid`, or another one, that asks for it.
    targetId: "free",
    usernsOptions,
  },
  SELinuxOption: { user: selinux("user"), role: selinux("role"), type: selinux("type"), level: "free" },
  LinuxContainerResources: {
    cpuPeriod: "free",
    cpuQuota: "free",
    cpuShares: "free",
    memoryLimitInBytes: memoryLimit,
    oomScoreAdj: oomScore,
    cpusetCpus: "free",
    cpusetMems: "free",
    hugepageLimits: "free",
    unified: rawCgroup,
    memorySwapLimitInBytes: "free",
  },

  CreateContainerRequest: { podSandboxId: "free", config: always, sandboxConfig: described },
  ContainerConfig: {
    metadata: "free",
    image: containerImage,
    command: "free",
    args: "free",
    workingDir: "free",
    envs: "free",
    mounts: inside,
    devices: inside,
    labels: containerLabels,
    annotations,
    logPath,
    stdin: "free",
    stdinOnce: "free",
    tty: "free",
    linux: always,
    windows,
    CDIDevices: inside,
    stopSignal: "free",
  },
  ImageSpec: {
    // What holds the image decides which ones it takes.
    image: "free",
    annotations,
    userSpecifiedImage: "free",
    runtimeHandler: handler,
    imageRef: "free",
  },
  Mount: {
    containerPath: "free",
    hostPath,
    // Both decide which word `hostPath` needs.
    readonly: "free",
    selinuxRelabel: "free",
    propagation,
    uidMappings: idMappings,
    gidMappings: idMappings,
    recursiveReadOnly: "free",
    image: mountedImage,
    imageSubPath: subPath,
    mountOptions,
  },
  Device: { containerPath: "free", hostPath: device, permissions: "free" },
  CDIDevice: { name: cdiDevice },
  LinuxContainerConfig: { resources: memory, securityContext: always },
  LinuxContainerSecurityContext: {
    capabilities: always,
    privileged,
    namespaceOptions: inside,
    selinuxOptions: inside,
    runAsUser: user("user"),
    // Where it decides, `runAsUser` is absent.
    runAsUsername: "free",
    readonlyRootfs: switchedOn("writable", "restricted"),
    supplementalGroups: groups,
    apparmorProfile: profileText("apparmor"),
    seccompProfilePath: profileText("seccomp"),
    noNewPrivs: switchedOn("escalation", "baseline"),
    runAsGroup: user("group"),
    maskedPaths: hidden(maskedPaths),
    readonlyPaths: hidden(readonlyPaths),
    seccomp,
    apparmor,
    supplementalGroupsPolicy: "free",
  },
  Capability: {
    addCapabilities: capabilities,
    dropCapabilities: droppedCapabilities,
    addAmbientCapabilities: capabilities,
  },

  UpdateContainerResourcesRequest: { containerId: "free", linux: inside, windows, annotations },
  UpdatePodSandboxResourcesRequest: { podSandboxId: "free", overhead: inside, resources: inside },
  CheckpointContainerRequest: { containerId: "free", location: checkpointPath(true), timeout: "free" },
  CheckpointPodRequest: {
    podSandboxId: "free",
    outputPath: checkpointPath(true),
    containerIds: "free",
    options: opaque("options for the checkpoint"),
  },
  RestorePodRequest: {
    checkpointPath: checkpointPath(false),
    config: always,
    runtimeHandler: handler,
    options: opaque("options for the restore"),
    containerConfigs: inside,
  },
  // `pull` decides which images; what the runtime reads of a pod is limited as for running one.
  PullImageRequest: { image: inside, auth: "free", sandboxConfig: described },

  // These name a pod, a container or an image, or act within a container.
  StopPodSandboxRequest: { podSandboxId: "free" },
  RemovePodSandboxRequest: { podSandboxId: "free" },
  StartContainerRequest: { containerId: "free" },
  StopContainerRequest: { containerId: "free", timeout: "free" },
  RemoveContainerRequest: { containerId: "free" },
  ReopenContainerLogRequest: { containerId: "free" },
  ExecSyncRequest: { containerId: "free", cmd: "free", timeout: "free" },
  ExecRequest: {
    containerId: "free",
    cmd: "free",
    tty: "free",
    stdin: "free",
    stdout: "free",
    stderr: "free",
  },
  AttachRequest: { containerId: "free", stdin: "free", tty: "free", stdout: "free", stderr: "free" },
  PortForwardRequest: { podSandboxId: "free", port: "free" },
  // The route itself needs all of `host`.
  UpdateRuntimeConfigRequest: { runtimeConfig: "free" },
};
