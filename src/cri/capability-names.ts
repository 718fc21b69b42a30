/**
 * Names of Linux capabilities in a container's config.
 *
 * Runtimes read these names differently. containerd prepends `CAP_` to every name, so `CAP_SYS_ADMIN` becomes a name
 * that does not exist. runc ignores unknown names, so a capability that should be dropped would stay. CRI-O does the
 * same with a lower-case `cap_sys_admin`. Crest therefore sends every name in the form that all runtimes read:
 * `SYS_ADMIN`.
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

/** `cap_net_admin` -> `NET_ADMIN`. */
export const plainCapability = (text: string): string => text.toUpperCase().replace(/^CAP_/, "");

/** Describes what is wrong with a capability name, or returns undefined. Ignores case and a leading `CAP_`. */
export function capabilityMistake(text: string): string | undefined {
  const name = plainCapability(text);
  if (known.has(name)) return undefined;
  const meant = nearest(name, names);
  const hint = meant === undefined ? 'such as "NET_ADMIN", or "ALL"' : `did you mean "${meant}"?`;
  return `must be the name of a Linux capability (${hint}), got ${describe(text, false)}`;
}

/** Returns the capabilities with names in the form that every runtime reads. */
export function plainCapabilities(capabilities: Partial<Capability>): Capability {
  const { addCapabilities = [], dropCapabilities = [], addAmbientCapabilities = [] } = capabilities;
  return {
    addCapabilities: addCapabilities.map(plainCapability),
    dropCapabilities: dropCapabilities.map(plainCapability),
    addAmbientCapabilities: addAmbientCapabilities.map(plainCapability),
  };
}
