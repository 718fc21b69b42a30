/** What is safe for a pod to have, as data. */

/** Docker's default capabilities, without NET_RAW: it forges packets on the network that pods share. */
export const dockerCapabilities: ReadonlySet<string> = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

/** What a kubelet masks in containers. */
export const maskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

/** What a kubelet makes read-only in containers. */
export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** The sysctls of the Pod Security Standards: each is the pod's own and harms no other. */
export const safeSysctls: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

/**
 * The beginnings of annotations and labels that runtimes, or what they call, act on: CDI devices, NRI plugins, Kata,
 * gVisor, crun, runc (which hands `org.systemd.property.` to systemd), CRIU, and containerd's restart monitor.
 */
const prefixes: readonly string[] = [
  "cdi.k8s.io/",
  "com.github.containers.",
  "containerd.io/",
  "container.apparmor.security.beta.kubernetes.io/",
  "container.seccomp.security.alpha.kubernetes.io/",
  "dev.gvisor.",
  "io.containerd.",
  "io.container.",
  "io.cri-containerd.",
  "io.crun.",
  "io.katacontainers.",
  "io.kubernetes.cri-o.",
  "io.kubernetes.cri.",
  "io.microsoft.",
  "module.wasm.image/",
  "org.criu.",
  "org.systemd.",
  "run.oci.",
  "seccomp.security.alpha.kubernetes.io/",
];

/** Their domains: `devices.nri.io/container.app`, `cpu-load-balancing.crio.io`. */
const domains: readonly string[] = ["cdi.k8s.io", "cri-o.io", "crio.io", "nri.io", "nri.containerd.io"];

/** Whether a runtime would act on an annotation or label of this name. */
export function isActedOn(key: string): boolean {
  const [domain = ""] = key.split("/", 1);
  return (
    prefixes.some((prefix) => key.startsWith(prefix)) ||
    domains.some((name) => domain === name || domain.endsWith(`.${name}`))
  );
}
