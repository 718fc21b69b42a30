/**
 * The known ways from the config of a pod or a container to the node. Each is refused under --allow-run alone: what, the
 * config, where it is refused, and the word that permits it. An empty word: only all of `host` does.
 */
export type Escape = readonly [what: string, config: object, pointer: string, word: string];

/** Places on the node, which the test has made. */
export interface Places {
  /** Has `null`, a link to the device. */
  readonly folder: string;
  /** A folder in it, with a folder `web`. */
  readonly data: string;
  /** A link to `data`. */
  readonly link: string;
}

export const context = (securityContext: object) => ({ linux: { securityContext } });

/** The id of another pod or container. */
const other = "0123456789ab";

/** Annotations that one runtime or another acts on, and what they do. */
const acting: readonly (readonly [what: string, name: string, value: string])[] = [
  ["CRI-O's devices", "io.kubernetes.cri-o.Devices", "/dev/sda"],
  ["CRI-O's cgroups", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw", "true"],
  ["the configuration of CRIU", "org.criu.config", "/etc/passwd"],
  ["another runtime for crun", "run.oci.handler", "krun"],
  ["no AppArmor, by annotation", "container.apparmor.security.beta.kubernetes.io/app", "unconfined"],
  ["no seccomp, by annotation", "seccomp.security.alpha.kubernetes.io/pod", "unconfined"],
  ["containerd's sandbox", "io.kubernetes.cri.untrusted-workload", "true"],
];

const annotationsOfOthers = (): readonly Escape[] =>
  acting.map(([what, name, value]) => [
    what,
    { annotations: { [name]: value } },
    `/annotations/${name.replace("/", "~1")}`,
    `annotation:${name}`,
  ]);

export const podEscapes = ({ data, link }: Places): readonly Escape[] => [
  [
    "the node's network",
    context({ namespaceOptions: { network: "NODE" } }),
    "/linux/securityContext/namespaceOptions/network",
    "network",
  ],
  [
    "the node's processes",
    context({ namespaceOptions: { pid: "NODE" } }),
    "/linux/securityContext/namespaceOptions/pid",
    "pid",
  ],
  [
    "the node's IPC",
    context({ namespaceOptions: { ipc: "NODE" } }),
    "/linux/securityContext/namespaceOptions/ipc",
    "ipc",
  ],
  [
    "users of the node",
    context({
      namespaceOptions: { usernsOptions: { mode: "POD", uids: [{ hostId: 0, containerId: 0, length: 1 }] } },
    }),
    "/linux/securityContext/namespaceOptions/usernsOptions",
    "userns",
  ],
  ["a privileged pod", context({ privileged: true }), "/linux/securityContext/privileged", "privileged"],
  [
    "a pod without seccomp",
    context({ seccomp: { profileType: "Unconfined" } }),
    "/linux/securityContext/seccomp",
    "unconfined",
  ],
  [
    "a pod without seccomp, in the older form",
    context({ seccompProfilePath: "unconfined" }),
    "/linux/securityContext/seccompProfilePath",
    "unconfined",
  ],
  [
    "a pod without AppArmor",
    context({ apparmor: { profileType: "Unconfined" } }),
    "/linux/securityContext/apparmor",
    "unconfined",
  ],
  [
    "an AppArmor profile of the node",
    context({ apparmor: { profileType: "Localhost", localhostRef: "mine" } }),
    "/linux/securityContext/apparmor/localhostRef",
    "apparmor:mine",
  ],
  [
    "a SELinux type",
    context({ selinuxOptions: { type: "spc_t" } }),
    "/linux/securityContext/selinuxOptions/type",
    "selinux:spc_t",
  ],
  [
    "a SELinux user",
    context({ selinuxOptions: { user: "system_u" } }),
    "/linux/securityContext/selinuxOptions/user",
    "selinux:system_u",
  ],
  [
    "a SELinux role",
    context({ selinuxOptions: { role: "system_r" } }),
    "/linux/securityContext/selinuxOptions/role",
    "selinux:system_r",
  ],
  [
    "a host port",
    { portMappings: [{ containerPort: 80, hostPort: 8080 }] },
    "/portMappings/0/hostPort",
    "port:8080",
  ],
  [
    "a sysctl of the node",
    { linux: { sysctls: { "kernel.core_pattern": "|/bin/sh" } } },
    "/linux/sysctls/kernel.core_pattern",
    "sysctl:kernel.core_pattern",
  ],
  [
    "a sysctl in another spelling",
    { linux: { sysctls: { "kernel/core_pattern": "|/bin/sh" } } },
    "/linux/sysctls/kernel~1core_pattern",
    "",
  ],
  [
    "a sysctl through a path",
    { linux: { sysctls: { "net.../../kernel/core_pattern": "x" } } },
    "/linux/sysctls/net...~1..~1kernel~1core_pattern",
    "",
  ],
  ["a cgroup of the node", { linux: { cgroupParent: "/system.slice" } }, "/linux/cgroupParent", "cgroup"],
  ["a cgroup above the root", { linux: { cgroupParent: "../../.." } }, "/linux/cgroupParent", "cgroup"],
  ["the cgroup of another pod", { linux: { cgroupParent: "/crest/other" } }, "/linux/cgroupParent", "cgroup"],
  [
    "raw values of a cgroup",
    { linux: { resources: { unified: { "memory.max": "max" } } } },
    "/linux/resources/unified",
    "cgroup",
  ],
  [
    "being spared by the kernel",
    { linux: { overhead: { oomScoreAdj: -999 } } },
    "/linux/overhead/oomScoreAdj",
    "oom",
  ],
  ["logs elsewhere", { logDirectory: data }, "/logDirectory", `logs:${data}`],
  ["logs through ..", { logDirectory: `${data}/../../etc` }, "/logDirectory", ""],
  ["logs in /proc", { logDirectory: "/proc/1/root/etc" }, "/logDirectory", ""],
  [
    "a CDI device by annotation",
    { annotations: { "cdi.k8s.io/gpu": "vendor.com/gpu=0" } },
    "/annotations/cdi.k8s.io~1gpu",
    "annotation:cdi.k8s.io/gpu",
  ],
  [
    "a property of systemd",
    { annotations: { "org.systemd.property.ExecStart": "x" } },
    "/annotations/org.systemd.property.ExecStart",
    "annotation:org.systemd.property.ExecStart",
  ],
  [
    "Kata's settings",
    { annotations: { "io.katacontainers.config.hypervisor.path": "/bin/sh" } },
    "/annotations/io.katacontainers.config.hypervisor.path",
    "annotation:io.katacontainers.config.hypervisor.path",
  ],
  [
    "CRI-O's user namespaces",
    { annotations: { "io.kubernetes.cri-o.userns-mode": "keep-id" } },
    "/annotations/io.kubernetes.cri-o.userns-mode",
    "annotation:io.kubernetes.cri-o.userns-mode",
  ],
  [
    "CRI-O's load balancing",
    { annotations: { "cpu-load-balancing.crio.io": "disable" } },
    "/annotations/cpu-load-balancing.crio.io",
    "annotation:cpu-load-balancing.crio.io",
  ],
  [
    "NRI's devices",
    { annotations: { "devices.nri.io/container.app": "- path: /dev/sda" } },
    "/annotations/devices.nri.io~1container.app",
    "annotation:devices.nri.io/container.app",
  ],
  [
    "crun's hooks",
    { annotations: { "run.oci.hooks.stdout": "/etc/passwd" } },
    "/annotations/run.oci.hooks.stdout",
    "annotation:run.oci.hooks.stdout",
  ],
  [
    "gVisor's flags",
    { annotations: { "dev.gvisor.flag.debug-log": "/etc/x" } },
    "/annotations/dev.gvisor.flag.debug-log",
    "annotation:dev.gvisor.flag.debug-log",
  ],
  [
    "a program for containerd's restart monitor",
    { labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } },
    "/labels/containerd.io~1restart.loguri",
    "annotation:containerd.io/restart.loguri",
  ],
  ["a runtime handler", { runtimeHandler: "kata" }, "/runtimeHandler", "runtime:kata"],
  ["a Windows host process", { windows: { securityContext: { hostProcess: true } } }, "/windows", "windows"],
  [
    "the network of another pod",
    context({ namespaceOptions: { network: "TARGET", targetId: other } }),
    "/linux/securityContext/namespaceOptions/network",
    "network",
  ],
  [
    "the IPC of another pod",
    context({ namespaceOptions: { ipc: "TARGET", targetId: other } }),
    "/linux/securityContext/namespaceOptions/ipc",
    "ipc",
  ],
  [
    "the processes of another pod",
    context({ namespaceOptions: { pid: "TARGET", targetId: other } }),
    "/linux/securityContext/namespaceOptions/pid",
    "pid",
  ],
  [
    "a seccomp profile of the node",
    context({ seccomp: { profileType: "Localhost", localhostRef: data } }),
    "/linux/securityContext/seccomp/localhostRef",
    `seccomp:${data}`,
  ],
  [
    "a seccomp profile through ..",
    context({ seccompProfilePath: "localhost/../../etc/passwd" }),
    "/linux/securityContext/seccompProfilePath",
    "",
  ],
  [
    "a port of loopback",
    { portMappings: [{ containerPort: 53, hostPort: 53, protocol: "UDP", hostIp: "127.0.0.1" }] },
    "/portMappings/0/hostPort",
    "port:53",
  ],
  ["a slice of the node", { linux: { cgroupParent: "system.slice" } }, "/linux/cgroupParent", "cgroup"],
  [
    "being spared by the kernel, as a pod",
    { linux: { resources: { oomScoreAdj: -1 } } },
    "/linux/resources/oomScoreAdj",
    "oom",
  ],
  [
    "raw values of a cgroup, as overhead",
    { linux: { overhead: { unified: { "memory.max": "max" } } } },
    "/linux/overhead/unified",
    "cgroup",
  ],
  ["logs through a link", { logDirectory: `${link}/web` }, "/logDirectory", `logs:${data}/web`],
  ["logs in a relative folder", { logDirectory: "etc" }, "/logDirectory", ""],
  ...annotationsOfOthers(),
];

export const containerEscapes = ({ folder, data, link }: Places): readonly Escape[] => [
  [
    "a privileged container",
    context({ privileged: true }),
    "/linux/securityContext/privileged",
    "privileged",
  ],
  [
    "a capability",
    context({ capabilities: { addCapabilities: ["SYS_ADMIN"] } }),
    "/linux/securityContext/capabilities/addCapabilities/0",
    "cap:SYS_ADMIN",
  ],
  [
    "a capability, in another spelling",
    context({ capabilities: { addCapabilities: ["CHOWN", "cap_net_raw"] } }),
    "/linux/securityContext/capabilities/addCapabilities/1",
    "cap:NET_RAW",
  ],
  [
    "all capabilities",
    context({ capabilities: { addCapabilities: ["ALL"] } }),
    "/linux/securityContext/capabilities/addCapabilities/0",
    "cap:ALL",
  ],
  [
    "an ambient capability",
    context({ capabilities: { addAmbientCapabilities: ["SYS_PTRACE"] } }),
    "/linux/securityContext/capabilities/addAmbientCapabilities/0",
    "cap:SYS_PTRACE",
  ],
  [
    "a folder of the node",
    { mounts: [{ containerPath: "/m", hostPath: data }] },
    "/mounts/0/hostPath",
    `mount:${data}`,
  ],
  [
    "a folder, read-only",
    { mounts: [{ containerPath: "/m", hostPath: data, readonly: true }] },
    "/mounts/0/hostPath",
    `mount:${data}:ro`,
  ],
  [
    "a folder, read-only and relabelled",
    { mounts: [{ containerPath: "/m", hostPath: data, readonly: true, selinuxRelabel: true }] },
    "/mounts/0/hostPath",
    `mount:${data}`,
  ],
  ["the root of the node", { mounts: [{ containerPath: "/m", hostPath: "/" }] }, "/mounts/0/hostPath", ""],
  [
    "the node's processes",
    { mounts: [{ containerPath: "/m", hostPath: "/proc/1/root", readonly: true }] },
    "/mounts/0/hostPath",
    "",
  ],
  [
    "a folder through ..",
    { mounts: [{ containerPath: "/m", hostPath: `${data}/../../..` }] },
    "/mounts/0/hostPath",
    "",
  ],
  [
    "a folder that the runtime would make",
    { mounts: [{ containerPath: "/m", hostPath: `${folder}/absent` }] },
    "/mounts/0/hostPath",
    "",
  ],
  [
    "mounts on the node",
    { mounts: [{ containerPath: "/m", image: "busybox", propagation: "PROPAGATION_BIDIRECTIONAL" }] },
    "/mounts/0/propagation",
    "propagation",
  ],
  [
    "users of the node, in a mount",
    {
      mounts: [
        { containerPath: "/m", image: "busybox", uidMappings: [{ hostId: 0, containerId: 0, length: 1 }] },
      ],
    },
    "/mounts/0/uidMappings",
    "userns",
  ],
  [
    "options of a mount",
    { mounts: [{ containerPath: "/m", image: "busybox", mountOptions: ["nodev", "rw"] }] },
    "/mounts/0/mountOptions/1",
    "",
  ],
  [
    "a path above a mounted image",
    { mounts: [{ containerPath: "/m", image: "busybox", imageSubPath: "../../etc" }] },
    "/mounts/0/imageSubPath",
    "",
  ],
  [
    "a device",
    { devices: [{ containerPath: "/dev/null", hostPath: "/dev/null", permissions: "rwm" }] },
    "/devices/0/hostPath",
    "device:/dev/null",
  ],
  [
    "a CDI device",
    { CDIDevices: [{ name: "vendor.com/gpu=0" }] },
    "/CDIDevices/0/name",
    "cdi:vendor.com/gpu=0",
  ],
  [
    "a CDI device by annotation",
    { annotations: { "cdi.k8s.io/gpu": "vendor.com/gpu=0" } },
    "/annotations/cdi.k8s.io~1gpu",
    "annotation:cdi.k8s.io/gpu",
  ],
  [
    "a program for containerd's restart monitor",
    { labels: { "containerd.io/restart.loguri": "binary:///bin/sh" } },
    "/labels/containerd.io~1restart.loguri",
    "annotation:containerd.io/restart.loguri",
  ],
  [
    "no seccomp",
    context({ seccomp: { profileType: "Unconfined" } }),
    "/linux/securityContext/seccomp",
    "unconfined",
  ],
  [
    "no AppArmor, in the older form",
    context({ apparmorProfile: "unconfined" }),
    "/linux/securityContext/apparmorProfile",
    "unconfined",
  ],
  [
    "an AppArmor profile, in the older form",
    context({ apparmorProfile: "localhost/mine" }),
    "/linux/securityContext/apparmorProfile",
    "apparmor:mine",
  ],
  [
    "a seccomp profile of the node",
    context({ seccomp: { profileType: "Localhost", localhostRef: data } }),
    "/linux/securityContext/seccomp/localhostRef",
    `seccomp:${data}`,
  ],
  [
    "a seccomp profile, in the older form",
    context({ seccompProfilePath: `localhost/${data}` }),
    "/linux/securityContext/seccompProfilePath",
    `seccomp:${data}`,
  ],
  [
    "the node's network, in a pod with its own",
    context({ namespaceOptions: { network: "NODE" } }),
    "/linux/securityContext/namespaceOptions/network",
    "network",
  ],
  [
    "processes of another container",
    context({ namespaceOptions: { pid: "TARGET", targetId: "0123456789ab" } }),
    "/linux/securityContext/namespaceOptions/pid",
    "pid",
  ],
  ["an image that is a path", { image: "/etc/passwd" }, "/image", "checkpoint:/etc/passwd"],
  ["an image that is a path from the root", { image: "etc/passwd" }, "/image", "checkpoint:/etc/passwd"],
  [
    "an image of another handler",
    { image: { image: "busybox", runtimeHandler: "kata" } },
    "/image/runtimeHandler",
    "runtime:kata",
  ],
  [
    "an annotation of the image",
    { image: { image: "busybox", annotations: { "io.containerd.x": "1" } } },
    "/image/annotations/io.containerd.x",
    "annotation:io.containerd.x",
  ],
  ["a log path from the root", { logPath: "/etc/cron.d/x" }, "/logPath", ""],
  [
    "raw values of a cgroup",
    { linux: { resources: { unified: { "memory.max": "max" } } } },
    "/linux/resources/unified",
    "cgroup",
  ],
  [
    "being spared by the kernel",
    { linux: { resources: { oomScoreAdj: -1 } } },
    "/linux/resources/oomScoreAdj",
    "oom",
  ],
  ["a Windows host process", { windows: { securityContext: { hostProcess: true } } }, "/windows", "windows"],
  [
    "a folder through a link",
    { mounts: [{ containerPath: "/m", hostPath: link }] },
    "/mounts/0/hostPath",
    `mount:${data}`,
  ],
  [
    "the runtime's socket",
    { mounts: [{ containerPath: "/m", hostPath: "/run/containerd/containerd.sock", readonly: true }] },
    "/mounts/0/hostPath",
    "",
  ],
  [
    "cgroups of the node",
    { mounts: [{ containerPath: "/m", hostPath: "/sys/fs/cgroup" }] },
    "/mounts/0/hostPath",
    "mount:/sys/fs/cgroup",
  ],
  [
    "mounts of the node",
    { mounts: [{ containerPath: "/m", image: "busybox", propagation: "PROPAGATION_HOST_TO_CONTAINER" }] },
    "/mounts/0/propagation",
    "propagation",
  ],
  [
    "groups of the node, in a mount",
    {
      mounts: [
        { containerPath: "/m", image: "busybox", gidMappings: [{ hostId: 0, containerId: 0, length: 1 }] },
      ],
    },
    "/mounts/0/gidMappings",
    "userns",
  ],
  [
    "devices in a mount",
    { mounts: [{ containerPath: "/m", image: "busybox", mountOptions: ["dev"] }] },
    "/mounts/0/mountOptions/0",
    "",
  ],
  [
    "a mounted image of another handler",
    { mounts: [{ containerPath: "/m", image: { image: "busybox", runtimeHandler: "kata" } }] },
    "/mounts/0/image/runtimeHandler",
    "runtime:kata",
  ],
  [
    "a mounted image that is a path",
    { mounts: [{ containerPath: "/m", image: "/etc/passwd" }] },
    "/mounts/0/image",
    "checkpoint:/etc/passwd",
  ],
  [
    "a device through a link",
    { devices: [{ containerPath: "/dev/x", hostPath: `${folder}/null`, permissions: "rwm" }] },
    "/devices/0/hostPath",
    "device:/dev/null",
  ],
  [
    "a device through ..",
    { devices: [{ containerPath: "/dev/x", hostPath: "/dev/../dev/null", permissions: "rwm" }] },
    "/devices/0/hostPath",
    "",
  ],
  [
    "all devices",
    { devices: [{ containerPath: "/dev/x", hostPath: "/dev", permissions: "rwm" }] },
    "/devices/0/hostPath",
    "device:/dev",
  ],
  [
    "all capabilities, in small letters",
    context({ capabilities: { addCapabilities: ["all"] } }),
    "/linux/securityContext/capabilities/addCapabilities/0",
    "cap:ALL",
  ],
  [
    "no seccomp, in the older form",
    context({ seccompProfilePath: "unconfined" }),
    "/linux/securityContext/seccompProfilePath",
    "unconfined",
  ],
  [
    "a seccomp profile through ..",
    context({ seccomp: { profileType: "Localhost", localhostRef: "../../etc/passwd" } }),
    "/linux/securityContext/seccomp/localhostRef",
    "",
  ],
  [
    "no AppArmor",
    context({ apparmor: { profileType: "Unconfined" } }),
    "/linux/securityContext/apparmor",
    "unconfined",
  ],
  [
    "an AppArmor profile of the node",
    context({ apparmor: { profileType: "Localhost", localhostRef: "mine" } }),
    "/linux/securityContext/apparmor/localhostRef",
    "apparmor:mine",
  ],
  [
    "a SELinux type",
    context({ selinuxOptions: { type: "spc_t" } }),
    "/linux/securityContext/selinuxOptions/type",
    "selinux:spc_t",
  ],
  [
    "the node's processes, by namespace",
    context({ namespaceOptions: { pid: "NODE" } }),
    "/linux/securityContext/namespaceOptions/pid",
    "pid",
  ],
  [
    "the node's IPC",
    context({ namespaceOptions: { ipc: "NODE" } }),
    "/linux/securityContext/namespaceOptions/ipc",
    "ipc",
  ],
  [
    "the network of another pod",
    context({ namespaceOptions: { network: "TARGET", targetId: other } }),
    "/linux/securityContext/namespaceOptions/network",
    "network",
  ],
  [
    "users of the node",
    context({ namespaceOptions: { usernsOptions: { uids: [{ hostId: 0, containerId: 0, length: 1 }] } } }),
    "/linux/securityContext/namespaceOptions/usernsOptions",
    "userns",
  ],
  ["an image in the runtime's folder", { image: "./etc/passwd" }, "/image", "checkpoint:/etc/passwd"],
  ["an image through ..", { image: "../../etc/passwd" }, "/image", ""],
  ["a log path in the folder itself", { logPath: "./x" }, "/logPath", ""],
  ...annotationsOfOthers(),
];
