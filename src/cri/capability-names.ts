/**
 * The names of Linux's capabilities, as a container's config has them.
 *
 * Runtimes read the names differently. containerd puts `CAP_` before each one, so that of `CAP_SYS_ADMIN` it makes a
 * name that does not exist, and runc ignores such names: a capability that was to be dropped would stay. CRI-O does the
 * same with a lower-case `cap_sys_admin`. So every name goes out in the form that all of them read: `SYS_ADMIN`.
 */
import type { Capability } from "../gen/messages.ts";
import { nearest } from "../nearest.ts";
import { describe } from "../wire/invalid-value.ts";

/** include/uapi/linux/capability.h, up to Linux 6.18. */
const names: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
];
const known: ReadonlySet<string> = new Set([...names, "ALL"]);

const withoutPrefix = (text: string): string => text.toUpperCase().replace(/^CAP_/, "");

/** What is wrong with the name of a capability; undefined when nothing is. Case and a leading `CAP_` do not matter. */
export function capabilityMistake(text: string): string | undefined {
  const name = withoutPrefix(text);
  if (known.has(name)) return undefined;
  const meant = nearest(name, names);
  const hint = meant === undefined ? 'such as "NET_ADMIN", or "ALL"' : `perhaps "${meant}"`;
  return `must be the name of a Linux capability, ${hint}, got ${describe(text, false)}`;
}

/** The same capabilities by the names that every runtime reads. */
export function plainCapabilities(capabilities: Partial<Capability>): Capability {
  const { addCapabilities = [], dropCapabilities = [], addAmbientCapabilities = [] } = capabilities;
  return {
    addCapabilities: addCapabilities.map(withoutPrefix),
    dropCapabilities: dropCapabilities.map(withoutPrefix),
    addAmbientCapabilities: addAmbientCapabilities.map(withoutPrefix),
  };
}
