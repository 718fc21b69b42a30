/**
 * Errors of containerd, CRI-O and cri-dockerd, and of runc and crun below them, for mistakes in a request that only the
 * node can detect. Patterns use plain quotes; escaped quotes in a text match them.
 */

import { anyOf, inOrder } from "../cri/text-pattern.ts";
import { begins, creations, type ErrorPattern } from "./error-pattern.ts";

const invalid = "invalid_request";
const withUpdates = [...begins, "RuntimeService/UpdateContainerResources"] as const;

const security = (field: string): readonly string[] => [`/config/linux/securityContext/${field}`];
const resources = (...fields: readonly string[]): readonly string[] =>
  fields.flatMap((field) => [`/config/linux/resources/${field}`, `/linux/${field}`]);

/** Names, labels and the pod as a whole. */
const ofThePod: readonly ErrorPattern[] = [
  {
    text: /no command specified|label key and value greater than maximum size|\bkey required\b|only \[a-zA-Z0-9\]\S* are allowed|is a relative path|pod level PID namespace requested|no privileged container allowed/,
    code: invalid,
    of: creations,
  },
  {
    text: /sethostname: invalid argument|unable to set hostname without a private UTS namespace/,
    code: invalid,
    of: creations,
    at: ["/config/hostname"],
  },
  {
    text: anyOf(
      // runc, when a pod is created.
      /sysctl "[^"]*" (is )?not (allowed|in a separate kernel namespace)|is not in a separate kernel namespace/,
      // A name that the kernel does not have, or a value that it rejects: runc, crun, CRI-O's pinns.
      /(open|write)( to)? `?\/proc\/sys\/\S+: /,
    ),
    code: invalid,
    of: begins,
    at: ["/config/linux/sysctls/[]"],
  },
  {
    text: anyOf(
      /configured with (systemd|cgroupfs) cgroup manager, but (did not receive|received)|expected cgroupsPath to be of format|cgroup-parent for systemd cgroup should be/,
      inOrder("apply cgroup configuration: mkdir ", ": invalid argument"),
    ),
    code: invalid,
    of: begins,
    at: ["/config/linux/cgroupParent"],
  },
  { text: /invalid CIDR address/, code: invalid, of: ["RuntimeService/UpdateRuntimeConfig"] },
];

/** Users and confinement. */
const ofSecurity: readonly ErrorPattern[] = [
  {
    text: /is specified without (a )?(user|runAsUser)|no users found|unable to find user|uids and gids must be in range|(uid|gid) out of range/,
    code: invalid,
    of: begins,
    at: [...security("runAsUsername"), ...security("runAsUser")],
  },
  {
    text: /apparmor is not supported|apparmor profile not found|unable to apply apparmor profile|failed to apply apparmor profile/i,
    code: invalid,
    of: begins,
    at: security("apparmor/localhostRef"),
  },
  {
    text: /cannot load seccomp profile|unable to load local profile|seccomp profile path must be absolute|decoding seccomp profile failed/,
    code: invalid,
    of: begins,
    at: security("seccomp/localhostRef"),
  },
  { text: /invalid profile "/, code: invalid, of: begins },
  { text: /the format of 'level'/, code: invalid, of: begins, at: security("selinuxOptions/level") },
  { text: /can't use user namespace mode|required only one [ug]id mapping/, code: invalid, of: begins },
  {
    text: /unknown capability|capability not supported by your kernel/,
    code: invalid,
    of: begins,
    at: ["add", "drop"].flatMap((verb) => security(`capabilities/${verb}Capabilities/[]`)),
  },
  {
    // Another container whose PID namespace should be joined: absent, not running, or of another pod.
    text: /invalid target container|target PID namespace (specified with invalid target ID|find PID|from proc)|cannot join PID( namespace)? of a non[ -]running container/,
    code: invalid,
    of: begins,
    at: [...security("namespaceOptions/targetId"), ...security("namespaceOptions/pid")],
  },
];

/** Mounts and devices that do not exist on the node, or do not fit the image. */
const ofFiles: readonly ErrorPattern[] = [
  {
    text: /is not a shared( or slave)? mount/,
    code: invalid,
    of: begins,
    at: ["/config/mounts/[hostPath]/propagation"],
  },
  {
    text: /recursive read-only mount (needs|conflicts)|does not support recursive read-only mounts/,
    code: invalid,
    of: begins,
    at: ["/config/mounts/[hostPath]/recursiveReadOnly"],
  },
  {
    text: /failed to mkdir "|error while creating mount source path|bind source path does not exist/,
    code: invalid,
    of: begins,
    at: ["/config/mounts/[hostPath]/hostPath"],
  },
  {
    text: /error mounting "|readonly must be true while mount image|: mkdir \S+: (not a directory|invalid argument)|invalid mount config for type|Duplicate mount point: /,
    code: invalid,
    of: begins,
    at: ["/config/mounts/[hostPath]", "/config/mounts/[containerPath]"],
  },
  {
    text: /error gathering device information while adding custom device|not a device node|lstat \S*: no such file|device container path that already exists/,
    code: invalid,
    of: begins,
    at: ["/config/devices/[hostPath]/hostPath"],
  },
  { text: /unresolvable CDI devices/, code: invalid, of: begins, at: ["/config/CDIDevices/[name]/name"] },
];

/**
 * Resources. The kernel's errors name the cgroup file; runc and crun have their own wording. For any cgroup file the
 * kernel answers EINVAL, ERANGE, or E2BIG if the value is longer than it reads.
 */
const ofResources: readonly ErrorPattern[] = [
  {
    text: anyOf(
      /set memory limit \d+ too low|Minimum memory limit|unable to set memory limit|memory limit too low/,
      /\bmemory\.(max|high|limit_in_bytes)`?: (invalid argument|numerical result out of range|argument list too long|device or resource busy)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("memoryLimitInBytes"),
  },
  {
    text: anyOf(
      /Minimum memoryswap limit|always set the Memory limit when using Memoryswap|memory\+swap limit should be|unable to set swap limit without memory limit/i,
      /memory\.(memsw\.limit_in_bytes|swap\.max)`?: (invalid argument|numerical result out of range|argument list too long)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("memorySwapLimitInBytes"),
  },
  {
    text: anyOf(
      /Requested CPUs are not available|Invalid value \S* for cpuset cpus/,
      /cpuset\.cpus`?: (invalid argument|numerical result out of range|argument list too long|permission denied)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("cpusetCpus"),
  },
  {
    text: anyOf(
      /Requested memory nodes are not available|Invalid value \S* for cpuset mems/,
      /cpuset\.mems`?: (invalid argument|numerical result out of range|argument list too long|permission denied)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("cpusetMems"),
  },
  {
    text: anyOf(
      /CPU cfs period can not be/,
      /cpu\.cfs_period_us`?: (invalid argument|numerical result out of range|argument list too long)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("cpuPeriod"),
  },
  {
    text: anyOf(
      /CPU cfs quota can not be|Range of CPUs is from/,
      /cpu\.(cfs_quota_us|max)`?: (invalid argument|numerical result out of range|argument list too long)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("cpuQuota", "cpuPeriod"),
  },
  {
    text: anyOf(
      /the (maximum|minimum) allowed cpu-shares/,
      /cpu\.(shares|weight)`?: (invalid argument|numerical result out of range|argument list too long)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("cpuShares"),
  },
  {
    text: /Invalid value \S*, range for oom score adj/,
    code: invalid,
    of: withUpdates,
    at: resources("oomScoreAdj"),
  },
  {
    text: anyOf(
      /hugetlb cgroup controller is missing/,
      /hugetlb\.[^.\s]*\.(max|limit_in_bytes)`?: (invalid argument|numerical result out of range|argument list too long|no such file)/i,
    ),
    code: invalid,
    of: withUpdates,
    at: resources("hugepageLimits"),
  },
  { text: /cannot use unified/, code: invalid, of: withUpdates, at: resources("unified") },
  {
    // Any other cgroup file.
    text: anyOf(
      /failed to write "[^"]*": write \S+: (invalid argument|numerical result out of range|argument list too long)/i,
      /\bwrit(e to|ing file) `[^`]*`?: (invalid argument|numerical result out of range|argument list too long)/i,
    ),
    code: invalid,
    of: withUpdates,
  },
];

export const mistakePatterns: readonly ErrorPattern[] = [
  ...ofThePod,
  ...ofSecurity,
  ...ofFiles,
  ...ofResources,
];
