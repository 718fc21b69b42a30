/**
 * Field names that people know from Kubernetes manifests, Docker or Compose files, and what CRI has instead. A test
 * checks each entry against CRI's messages.
 */

/** What to write instead of a name that a message does not have. */
export type Replacement =
  /** Another field of the same message. */
  | { readonly field: string }
  /** Members of the same message. */
  | { readonly write: object }
  /** An explanation, where CRI has no equivalent or has it elsewhere. */
  | { readonly say: string };

const field = (name: string): Replacement => ({ field: name });
const write = (members: object): Replacement => ({ write: members });
const say = (words: string): Replacement => ({ say: words });

/** The same replacement for several names. */
const each = (names: readonly string[], replacement: Replacement): { [name: string]: Replacement } =>
  Object.fromEntries(names.map((name) => [name, replacement]));

const manifest = say(
  'Kubernetes manifests are not supported, run the pod with {"metadata": {"name": "web"}} and create its containers one by one',
);
const ofContainer = say(
  "it belongs to a container, create one with POST /v1/pods/{podSandboxId}/containers once the pod is running",
);
const ofPod = (what: string): Replacement => say(`it belongs to the pod, as ${what} of POST /v1/pods`);
const none = (instead: string): Replacement => say(`CRI does not have this, ${instead}`);
const probes = none("run commands with POST /v1/containers/{containerId}/exec");
const restarts = none(
  "containers are never restarted, GET /v1/containers/{containerId}/wait reports when one exits",
);
const inSecurityContext = (members: object): Replacement => write({ linux: { securityContext: members } });
const inResources = (members: object): Replacement => write({ linux: { resources: members } });
const namespaces = (options: object): Replacement => inSecurityContext({ namespaceOptions: options });
const limits = { cpuPeriod: "100000", cpuQuota: "50000", memoryLimitInBytes: "67108864" };
const halfCpu = { cpuPeriod: "100000", cpuQuota: "50000" };
const memory = { memoryLimitInBytes: "67108864" };

const resourceNames: { readonly [name: string]: Replacement } = {
  ...each(["cpu", "cpus", "nanoCpus"], write(halfCpu)),
  ...each(["memory", "mem", "memLimit", "memoryLimit"], write(memory)),
  ...each(["limits", "requests"], write(limits)),
  memorySwap: field("memorySwapLimitInBytes"),
  cpuset: field("cpusetCpus"),
};

/** message -> name in lower case without underscores and dashes -> replacement */
const named: { readonly [message: string]: { readonly [name: string]: Replacement } } = {
  PodSandboxConfig: {
    ...each(["apiVersion", "kind", "spec"], manifest),
    name: write({ metadata: { name: "web" } }),
    namespace: write({ metadata: { name: "web", namespace: "default" } }),
    uid: write({ metadata: { name: "web", uid: "c391e930-1985-40ce-a997-1baecc76ada4" } }),
    ...each(["containers", "initContainers", "ephemeralContainers"], ofContainer),
    ...each(["image", "command", "cmd", "args", "env", "envs", "workingDir", "tty", "stdin"], ofContainer),
    ...each(["volumes", "volumeMounts", "mounts", "binds"], ofContainer),
    ...each(["hostNetwork", "network", "networkMode"], namespaces({ network: "NODE" })),
    hostPID: namespaces({ pid: "NODE" }),
    hostIPC: namespaces({ ipc: "NODE" }),
    shareProcessNamespace: namespaces({ pid: "POD" }),
    ...each(
      ["ports", "publish", "portBindings"],
      write({ portMappings: [{ containerPort: 80, hostPort: 8080 }] }),
    ),
    ...each(["dns", "nameservers"], write({ dnsConfig: { servers: ["10.0.0.10"] } })),
    dnsPolicy: write({ dnsConfig: { servers: ["10.0.0.10"] } }),
    runtimeClassName: say("write runtimeHandler, with the name of the runtime's handler"),
    runtime: say("write runtimeHandler, with the name of the runtime's handler"),
    securityContext: inSecurityContext({ runAsUser: { value: "1000" } }),
    privileged: inSecurityContext({ privileged: true }),
    sysctls: write({ linux: { sysctls: { "net.core.somaxconn": "1024" } } }),
    resources: inResources({ memoryLimitInBytes: "67108864" }),
    cgroupParent: write({ linux: { cgroupParent: "/my-pods" } }),
    restartPolicy: restarts,
    terminationGracePeriodSeconds: none("set the timeout when you stop a container"),
    ...each(["nodeName", "nodeSelector", "serviceAccountName"], none("the pod runs on this node")),
  },
  PodSandboxMetadata: {
    ...each(["labels", "annotations"], say("it belongs next to metadata, not in it")),
    generateName: field("name"),
  },
  ContainerConfig: {
    name: write({ metadata: { name: "app" } }),
    ...each(["env", "environment"], write({ envs: [{ key: "LANG", value: "C.UTF-8" }] })),
    envFrom: write({ envs: [{ key: "LANG", value: "C.UTF-8" }] }),
    ...each(
      ["volumeMounts", "volumes", "binds", "volume"],
      write({ mounts: [{ containerPath: "/data", hostPath: "/srv/data" }] }),
    ),
    ...each(["ports", "exposedPorts", "publish"], ofPod("portMappings")),
    ...each(["hostname", "dnsConfig", "portMappings"], ofPod("the field of this name")),
    ...each(["hostNetwork", "networkMode"], ofPod("linux.securityContext.namespaceOptions")),
    imagePullPolicy: none("images are pulled only with POST /v1/images/pull"),
    entrypoint: field("command"),
    cmd: say("write command for the program (Docker's ENTRYPOINT), args for its arguments (Docker's CMD)"),
    ...each(["cwd", "workdir"], field("workingDir")),
    ...each(["user", "runAsUser"], inSecurityContext({ runAsUser: { value: "1000" } })),
    securityContext: inSecurityContext({ runAsUser: { value: "1000" } }),
    privileged: inSecurityContext({ privileged: true }),
    ...each(
      ["capabilities", "capAdd"],
      inSecurityContext({ capabilities: { addCapabilities: ["NET_ADMIN"] } }),
    ),
    capDrop: inSecurityContext({ capabilities: { dropCapabilities: ["ALL"] } }),
    ...each(["readOnly", "readOnlyRootFilesystem"], inSecurityContext({ readonlyRootfs: true })),
    ...each(["resources", "limits"], inResources(limits)),
    ...each(["cpu", "cpus", "nanoCpus"], inResources(halfCpu)),
    ...each(["memory", "memLimit"], inResources(memory)),
    ...each(["restart", "restartPolicy"], restarts),
    ...each(["livenessProbe", "readinessProbe", "startupProbe", "healthcheck", "lifecycle"], probes),
    ...each(["interactive", "openStdin"], field("stdin")),
    resizePolicy: none("change resources with PATCH /v1/containers/{containerId}/resources"),
    hostConfig: say("Docker bodies are not supported: mounts and linux are the closest in CRI"),
    ...each(["apiVersion", "kind", "spec", "containers"], manifest),
  },
  ContainerMetadata: {
    ...each(["labels", "annotations"], say("it belongs next to metadata, not in it")),
    namespace: say("a container is in the namespace of its pod"),
  },
  KeyValue: {
    name: field("key"),
    valueFrom: say("only values are supported: read the secret or the field, and write its content in value"),
  },
  Mount: {
    ...each(["mountPath", "target", "destination", "dst"], field("containerPath")),
    ...each(["source", "src", "hostDir"], field("hostPath")),
    name: say("CRI has no named volumes: write hostPath, the path on the node"),
    subPath: say("append it to hostPath; for an image, use imageSubPath"),
    ro: field("readonly"),
    mountPropagation: write({ propagation: "PROPAGATION_HOST_TO_CONTAINER" }),
    ...each(["options", "mode"], write({ mountOptions: ["noexec"] })),
    type: say("omit it: hostPath mounts a path on the node, image mounts an image"),
  },
  Device: {
    pathInContainer: field("containerPath"),
    pathOnHost: field("hostPath"),
    cgroupPermissions: field("permissions"),
  },
  PortMapping: {
    ...each(["port", "targetPort", "privatePort"], field("containerPort")),
    ...each(["published", "publicPort", "nodePort"], field("hostPort")),
    name: say("omit it: ports have no names here"),
  },
  DNSConfig: { nameservers: field("servers") },
  LinuxContainerConfig: {
    limits: write({ resources: limits }),
    privileged: write({ securityContext: { privileged: true } }),
  },
  LinuxContainerResources: resourceNames,
  LinuxContainerSecurityContext: {
    runAsNonRoot: say('CRI does not check it: give the user, {"runAsUser": {"value": "1000"}}'),
    user: write({ runAsUser: { value: "1000" } }),
    allowPrivilegeEscalation: say('write {"noNewPrivs": true} where Kubernetes has false here'),
    readOnlyRootFilesystem: field("readonlyRootfs"),
    seccompProfile: write({ seccomp: { profileType: "RuntimeDefault" } }),
    appArmorProfile: write({ apparmor: { profileType: "RuntimeDefault" } }),
    procMount: field("maskedPaths"),
    ...each(["capAdd", "addCapabilities"], write({ capabilities: { addCapabilities: ["NET_ADMIN"] } })),
    ...each(["capDrop", "dropCapabilities"], write({ capabilities: { dropCapabilities: ["ALL"] } })),
    ...each(["hostNetwork", "hostPID", "hostIPC"], write({ namespaceOptions: { pid: "CONTAINER" } })),
  },
  LinuxSandboxSecurityContext: {
    hostNetwork: write({ namespaceOptions: { network: "NODE" } }),
    hostPID: write({ namespaceOptions: { pid: "NODE" } }),
    hostIPC: write({ namespaceOptions: { ipc: "NODE" } }),
    seccompProfile: write({ seccomp: { profileType: "RuntimeDefault" } }),
    appArmorProfile: write({ apparmor: { profileType: "RuntimeDefault" } }),
    runAsNonRoot: say('CRI does not check it: give the user, {"runAsUser": {"value": "1000"}}'),
    fsGroup: write({ supplementalGroups: ["2000"] }),
    sysctls: say("it belongs in linux, next to securityContext"),
  },
  LinuxPodSandboxConfig: {
    hostNetwork: write({ securityContext: { namespaceOptions: { network: "NODE" } } }),
    hostPID: write({ securityContext: { namespaceOptions: { pid: "NODE" } } }),
    hostIPC: write({ securityContext: { namespaceOptions: { ipc: "NODE" } } }),
    ...each(
      ["namespaces", "namespaceOptions"],
      write({ securityContext: { namespaceOptions: { pid: "NODE" } } }),
    ),
    limits: write({ resources: limits }),
  },
  Capability: {
    ...each(["add", "capAdd"], field("addCapabilities")),
    ...each(["drop", "capDrop"], field("dropCapabilities")),
  },
  SecurityProfile: {
    type: field("profileType"),
    localhostProfile: field("localhostRef"),
  },
  ImageSpec: {
    ...each(["name", "reference", "ref", "repository"], field("image")),
    tag: say("it belongs in image, after a colon"),
    digest: say("it belongs in image, after an @"),
  },
  PullImageRequest: {
    ...each(
      ["name", "reference", "ref", "imageName", "fromImage", "repository", "tag"],
      write({ image: "docker.io/library/busybox:1.36" }),
    ),
    ...each(
      ["username", "password", "credentials", "registryAuth"],
      write({ image: "registry.example/app:1", auth: { username: "me", password: "secret" } }),
    ),
  },
  AuthConfig: {
    user: field("username"),
    token: field("identityToken"),
    registry: field("serverAddress"),
  },
  ExecSyncRequest: {
    ...each(["command", "args", "exec"], field("cmd")),
    timeoutSeconds: field("timeout"),
    ...each(
      ["tty", "stdin", "interactive", "stdout", "stderr", "attachStdin", "attachStdout", "attachStderr"],
      say("for interactive commands connect the WebSocket GET /v1/containers/{containerId}/exec"),
    ),
    ...each(
      ["env", "envs", "workingDir", "user", "privileged"],
      none('use a shell, {"cmd": ["sh", "-c", "cd /tmp && LANG=C ls"]}'),
    ),
  },
  UpdateContainerResourcesRequest: {
    ...each(["resources", "limits", "requests"], write({ linux: limits })),
    ...each(["cpu", "cpus", "cpuQuota", "cpuPeriod"], write({ linux: halfCpu })),
    ...each(["memory", "memoryLimitInBytes"], write({ linux: memory })),
    cpuShares: write({ linux: { cpuShares: "512" } }),
  },
  UpdatePodSandboxResourcesRequest: {
    ...each(["linux", "limits"], write({ resources: limits })),
    ...each(["cpu", "cpus"], write({ resources: halfCpu })),
    memory: write({ resources: memory }),
  },
  CheckpointContainerRequest: each(["path", "file", "outputPath", "export"], field("location")),
  NetworkConfig: each(["cidr", "podCIDRs", "subnet", "clusterCIDR"], field("podCidr")),
};

/** Normalizes a name for comparison: `hostPID`, `host_pid` and `hostPid` are the same. */
const plain = (name: string): string => name.replace(/[-_]/g, "").toLowerCase();

const replacements = new Map(
  Object.entries(named).map(([message, names]) => [
    message,
    new Map(Object.entries(names).map(([name, replacement]) => [plain(name), replacement])),
  ]),
);

/** The replacement for a common name that `message` does not have, if there is one. */
export function replacementFor(message: string, name: string): Replacement | undefined {
  // A longer text cannot be a known name.
  return name.length > 64 ? undefined : replacements.get(message)?.get(plain(name));
}

/** All entries, for the test that checks them against CRI. */
export const allReplacements: readonly (readonly [message: string, name: string, Replacement])[] =
  Object.entries(named).flatMap(([message, names]) =>
    Object.entries(names).map(([name, replacement]) => [message, name, replacement] as const),
  );

/** Example values to show when a value has the wrong type, by message or by `Message.field`. */
export const examples: { readonly [place: string]: unknown } = {
  KeyValue: { key: "LANG", value: "C.UTF-8" },
  Mount: { containerPath: "/data", hostPath: "/srv/data" },
  Device: { containerPath: "/dev/fuse", hostPath: "/dev/fuse", permissions: "rw" },
  CDIDevice: { name: "vendor.com/gpu=0" },
  PortMapping: { containerPort: 80, hostPort: 8080 },
  PodSandboxMetadata: { name: "web" },
  ContainerMetadata: { name: "app" },
  ImageSpec: { image: "docker.io/library/busybox:1.36" },
  AuthConfig: { username: "me", password: "secret" },
  DNSConfig: { servers: ["10.0.0.10"] },
  Int64Value: { value: "1000" },
  NamespaceOption: { network: "NODE" },
  SecurityProfile: { profileType: "RuntimeDefault" },
  Capability: { addCapabilities: ["NET_ADMIN"] },
  LinuxContainerResources: limits,
  LinuxContainerSecurityContext: { runAsUser: { value: "1000" } },
  LinuxSandboxSecurityContext: { namespaceOptions: { network: "NODE" } },
  LinuxContainerConfig: { resources: limits },
  LinuxPodSandboxConfig: { securityContext: { namespaceOptions: { network: "NODE" } } },
  "ContainerConfig.command": ["sleep", "3600"],
  "ContainerConfig.args": ["-f", "/dev/null"],
  "ExecSyncRequest.cmd": ["ls", "-l"],
  "ExecSyncRequest.timeout": "10",
  "CheckpointContainerRequest.timeout": "60",
  "ContainerConfig.labels": { app: "web" },
  "ContainerConfig.annotations": { team: "payments" },
  "PodSandboxConfig.labels": { app: "web" },
  "PodSandboxConfig.annotations": { team: "payments" },
  "LinuxPodSandboxConfig.sysctls": { "net.core.somaxconn": "1024" },
  "LinuxContainerResources.memoryLimitInBytes": "67108864",
  "LinuxContainerResources.memorySwapLimitInBytes": "67108864",
  "LinuxContainerResources.cpuShares": "512",
  "LinuxContainerResources.cpuQuota": "50000",
  "LinuxContainerResources.cpuPeriod": "100000",
  "NamespaceOption.network": "NODE",
  "NamespaceOption.pid": "CONTAINER",
  "NamespaceOption.ipc": "NODE",
  "Capability.addCapabilities": ["NET_ADMIN"],
  "Capability.dropCapabilities": ["ALL"],
  "Mount.propagation": "PROPAGATION_HOST_TO_CONTAINER",
  "DNSConfig.servers": ["10.0.0.10"],
};
