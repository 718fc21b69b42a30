/** The texts and the states of runtimes, and what each means to a caller. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { fromStatus } from "../../../src/cri/status.ts";
import type { ErrorCode, GatewayError } from "../../../src/errors.ts";
import type { Rpc } from "../../../src/gen/methods.ts";
import { recallSandboxConfig } from "../../../src/runtimes/sandbox-config.ts";
import { checkPreconditions, translateError } from "../../../src/runtimes/translate-error.ts";
import { type StubRuntime, serviceError, stubRuntime } from "../cri/stub-runtime.ts";

const container = "c".repeat(64);
const pod = "d".repeat(64);

type ContainerState = "CONTAINER_CREATED" | "CONTAINER_RUNNING" | "CONTAINER_EXITED" | "CONTAINER_UNKNOWN";
type PodState = "SANDBOX_READY" | "SANDBOX_NOTREADY";

function runtimeIn(containerState: ContainerState, podState: PodState = "SANDBOX_READY"): StubRuntime {
  return stubRuntime({
    "RuntimeService/ContainerStatus": () => ({ status: { state: containerState } }),
    "RuntimeService/PodSandboxStatus": () => ({ status: { state: podState } }),
    "RuntimeService/Version": () => ({ runtimeName: "docker", runtimeVersion: "28.5.2" }),
  });
}

function explained(runtime: StubRuntime, rpc: Rpc, code: status, text: string): Promise<GatewayError> {
  const isPod = /\/(PodSandbox|StopPod|RemovePod|UpdatePod|CreateContainer|PortForward)/.test(rpc);
  const isContainer = /\/(Container|Start|Stop|Remove|Reopen|Exec|Attach|Checkpoint|UpdateC)/.test(rpc);
  const isImage = rpc.startsWith("ImageService/");
  const about = isPod ? { podSandboxId: pod } : isContainer ? { containerId: container } : {};
  const request = isImage ? {} : about;
  return translateError(runtime, rpc, request, {
    error: fromStatus(rpc, serviceError(code, text)),
    options: {},
  });
}

interface Row {
  readonly rpc: Rpc;
  readonly text: string;
  readonly code: ErrorCode;
  /** UNKNOWN by default. */
  readonly grpc?: status;
}

const run = "RuntimeService/RunPodSandbox";
const create = "RuntimeService/CreateContainer";
const start = "RuntimeService/StartContainer";
const update = "RuntimeService/UpdateContainerResources";
const network = "RuntimeService/UpdateRuntimeConfig";
const execSync = "RuntimeService/ExecSync";
const pull = "ImageService/PullImage";
const imageStatus = "ImageService/ImageStatus";
const removeImage = "ImageService/RemoveImage";
const { NOT_FOUND, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, FAILED_PRECONDITION, INTERNAL } = status;

/** Texts as the five runtimes say them. */
const rows: readonly Row[] = [
  {
    rpc: run,
    text: 'failed to reserve sandbox name "web_default_u_0": name "web_default_u_0" is reserved for "ab"',
    code: "name_reserved",
  },
  {
    rpc: run,
    text: 'name "web_default_u_0" is reserved for "ab"',
    code: "name_reserved",
    grpc: FAILED_PRECONDITION,
  },
  {
    rpc: create,
    text: 'Error response from daemon: Conflict. The container name "/k8s_app" is already in use by container "ab".',
    code: "name_reserved",
  },
  {
    rpc: run,
    text: "failed to add hostport mapping for sandbox k8s_web_default_u_0(ab): cannot open hostport 8080 for pod k8s_web_default_u_0_: listen tcp4 :8080: bind: address already in use",
    code: "port_in_use",
  },
  {
    rpc: run,
    text: 'failed to start sandbox container for pod "web": Error response from daemon: driver failed programming external connectivity on endpoint k8s_POD_web_default_u_0 (ab): Bind for 0.0.0.0:8080 failed: port is already allocated',
    code: "port_in_use",
  },
  {
    rpc: run,
    text: "Error response from daemon: driver failed programming external connectivity on endpoint k8s_POD_web_default_u_0 (ab): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
    code: "port_in_use",
  },
  {
    rpc: run,
    text: "Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint k8s_POD_web_default_u_0 (ab): failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use",
    code: "port_in_use",
  },
  {
    rpc: run,
    text: "Error response from daemon: failed to set up container networking: failed to bind host port [::]:53/udp: address already in use",
    code: "port_in_use",
  },
  {
    rpc: run,
    text: "cannot open hostport 80 for pod k8s_web_default_u_0_: listen tcp4 :80: bind: permission denied",
    code: "runtime_error",
  },
  {
    rpc: create,
    text: 'failed to resolve image "absent:1": not found',
    code: "image_not_found",
    grpc: NOT_FOUND,
  },
  { rpc: create, text: '"absent" does not resolve to an image ID', code: "image_not_found" },
  { rpc: create, text: "Error response from daemon: No such image: absent:1", code: "image_not_found" },
  {
    rpc: create,
    text: 'failed to parse image reference "A B": invalid reference format',
    code: "bad_reference",
  },
  {
    rpc: run,
    text: 'failed to get sandbox runtime: no runtime for "nope" is configured',
    code: "unknown_handler",
  },
  {
    rpc: run,
    text: "failed to find runtime handler nope from runtime list map[crun:0xc0]",
    code: "unknown_handler",
  },

  {
    rpc: start,
    text: 'runc create failed: unable to start container process: exec: "/no": executable file not found in $PATH: unknown',
    code: "command_not_found",
  },
  {
    rpc: start,
    text: 'unable to start container process: exec: "/no/such": stat /no/such: no such file or directory: unknown',
    code: "command_not_found",
  },
  {
    rpc: create,
    text: 'level=error msg="runc create failed: exec: \\"x\\": executable file not found in $PATH"',
    code: "command_not_found",
  },
  {
    rpc: execSync,
    text: 'command error: exec: "x": executable file not found in $PATH, stdout: , stderr: , exit code -1',
    code: "command_not_found",
  },
  { rpc: start, text: 'sandbox container "ab" is not running', code: "pod_not_ready" },
  { rpc: start, text: "cannot join network namespace of a non running container: ab", code: "pod_not_ready" },
  { rpc: create, text: "CreateContainer failed as the sandbox was stopped: ab", code: "pod_not_ready" },

  {
    rpc: execSync,
    text: "failed to exec in container: timeout 1s exceeded: context deadline exceeded",
    code: "exec_timeout",
    grpc: DEADLINE_EXCEEDED,
  },
  {
    rpc: execSync,
    text: 'unable to start container process: exec: "/xx... (cut) ...xx: file name too long: unknown',
    code: "command_not_found",
  },
  { rpc: execSync, text: "exec failed: open /x:\nno such file or directory", code: "runtime_error" },
  { rpc: execSync, text: "context deadline exceeded", code: "exec_timeout", grpc: DEADLINE_EXCEEDED },
  {
    rpc: execSync,
    text: "Deadline exceeded after 20.001s",
    code: "outcome_unknown",
    grpc: DEADLINE_EXCEEDED,
  },
  {
    rpc: execSync,
    text: "grpc: trying to send message larger than max (16777227 vs. 16777216)",
    code: "output_too_large",
    grpc: RESOURCE_EXHAUSTED,
  },
  { rpc: execSync, text: "short write", code: "output_too_large" },
  {
    rpc: "RuntimeService/ListContainers",
    text: "grpc: trying to send message larger than max (2 vs. 1)",
    code: "reply_too_large",
    grpc: RESOURCE_EXHAUSTED,
  },

  {
    rpc: run,
    text: "label key and value greater than maximum size (4096 bytes), key: a",
    code: "invalid_request",
  },
  { rpc: run, text: "label key required", code: "invalid_request" },
  {
    rpc: run,
    text: "Invalid container name (k8s_POD_a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "failed to start sandbox container task: sethostname: invalid argument: unknown",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: 'failed to create containerd task: sysctl "vm.x" is not in a separate kernel namespace',
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "error during container init: open /proc/sys/net/ipv4/no_such: no such file or directory: unknown",
    code: "invalid_request",
  },
  { rpc: run, text: "requested logDir for sbox ID is a relative path: logs", code: "invalid_request" },
  {
    rpc: create,
    text: "pod level PID namespace requested for the container, but pod sandbox was not similarly configured",
    code: "invalid_request",
  },

  {
    rpc: pull,
    text: "unexpected status from HEAD request to https://r/v2/a: 401 Unauthorized",
    code: "registry_unauthorized",
  },
  {
    rpc: pull,
    text: "unexpected status from HEAD request to https://r/v2/a: 403 Forbidden",
    code: "registry_unauthorized",
  },
  {
    rpc: pull,
    text: "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
    code: "registry_unauthorized",
  },
  {
    rpc: pull,
    text: "initializing source docker://r/a:1: reading manifest: unauthorized: authentication required",
    code: "registry_unauthorized",
  },
  {
    rpc: pull,
    text: 'Head "https://r/v2/a/manifests/1": unauthorized: authentication required',
    code: "registry_unauthorized",
  },
  { rpc: pull, text: "denied: requested access to the resource is denied", code: "registry_unauthorized" },
  {
    rpc: pull,
    text: 'failed to do request: Head "https://r/v2/a": dial tcp 127.0.0.1:1: connect: connection refused',
    code: "registry_unreachable",
  },
  { rpc: pull, text: "dial tcp: lookup registry.invalid: no such host", code: "registry_unreachable" },
  { rpc: pull, text: "RegistryUnavailable: pinging container registry r", code: "registry_unreachable" },
  { rpc: pull, text: "dial tcp 10.0.0.1:443: i/o timeout", code: "registry_unreachable" },
  {
    rpc: pull,
    text: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    code: "registry_unreachable",
  },
  {
    rpc: pull,
    text: 'failed to resolve reference "r/a:1": r/a:1: not found',
    code: "image_not_found",
    grpc: NOT_FOUND,
  },
  {
    rpc: pull,
    text: "unable to pull image: reading manifest 1 in r/a: manifest unknown",
    code: "image_not_found",
  },
  {
    rpc: pull,
    text: "manifest for r/a:1 not found: manifest unknown: manifest unknown",
    code: "image_not_found",
  },
  { rpc: pull, text: "repository r/a not found: does not exist or no pull access", code: "image_not_found" },
  {
    rpc: pull,
    text: 'short-name "a" did not resolve to an alias and no unqualified-search registries are defined',
    code: "image_not_found",
  },
  { rpc: pull, text: 'cannot parse input: "A B"', code: "bad_reference" },
  { rpc: pull, text: "invalid reference format", code: "bad_reference" },
  // What the caller wrote stands in the text, and is not the runtime's word.
  {
    rpc: pull,
    text: 'failed to resolve reference "r/unauthorized:401": r/unauthorized:401: not found',
    code: "image_not_found",
    grpc: NOT_FOUND,
  },
  {
    rpc: pull,
    text: 'failed to do request: Head "https://r/v2/x509/manifests/404": something else',
    code: "runtime_error",
  },
  { rpc: pull, text: "write /var/lib/x: no space left on device", code: "node_disk_full" },
  { rpc: start, text: "write /var/lib/x: no space left on device", code: "node_disk_full" },
  { rpc: start, text: "mkdir /sys/fs/cgroup/crest/a: no space left on device", code: "runtime_error" },
  {
    rpc: pull,
    text: "failed size validation: 10 != 11: failed precondition",
    code: "digest_mismatch",
    grpc: FAILED_PRECONDITION,
  },
  {
    rpc: pull,
    text: "unexpected media type text/html for sha256:ab: not found",
    code: "registry_failed",
    grpc: NOT_FOUND,
  },
  { rpc: pull, text: 'Get "https://r/v2/": context deadline exceeded', code: "registry_unreachable" },
  { rpc: create, text: "SignatureValidationFailed: Source image rejected: none", code: "signature_rejected" },

  { rpc: imageStatus, text: 'cannot parse input: "A B"', code: "not_found" },
  { rpc: imageStatus, text: "invalid reference format", code: "not_found" },
  { rpc: removeImage, text: 'short-name "sha256:ff" did not resolve to an alias', code: "not_found" },
  { rpc: removeImage, text: "image used by ab: image is in use by a container", code: "image_in_use" },
  {
    rpc: removeImage,
    text: "conflict: unable to delete ab (cannot be forced) - image is being used by running container ab",
    code: "image_in_use",
  },

  {
    rpc: "RuntimeService/ReopenContainerLog",
    text: "docker does not support reopening container log files",
    code: "not_implemented",
  },
  {
    rpc: "RuntimeService/CheckpointContainer",
    text: "CRIU binary not found or too old (<31600). Failed to checkpoint",
    code: "not_implemented",
  },
  {
    rpc: "RuntimeService/CheckpointContainer",
    text: "checkpoint/restore support not available",
    code: "not_implemented",
  },

  {
    rpc: "RuntimeService/ContainerStatus",
    text: "Error response from daemon: No such container: ab",
    code: "not_found",
  },
  {
    rpc: "RuntimeService/PodSandboxStatus",
    text: "PodSandbox with ID starting with ab not found: ID does not exist",
    code: "not_found",
  },
  {
    rpc: "RuntimeService/RemoveContainer",
    text: 'failed to get container "ab": Error response from daemon: No such container: ab',
    code: "not_found",
  },
  { rpc: "RuntimeService/StopContainer", text: "context canceled", code: "runtime_error" },
  // Nothing of an id stands in these: something else was not found.
  { rpc: run, text: "plugin type=bridge failed: binary not found", code: "runtime_error" },
  { rpc: "RuntimeService/ListContainers", text: "container ab does not exist", code: "runtime_error" },
  { rpc: imageStatus, text: "content digest sha256:ab: not found", code: "runtime_error" },
  { rpc: start, text: "failed to mount /x: no such device", code: "runtime_error" },
  { rpc: start, text: "mount source not found", code: "runtime_error", grpc: INTERNAL },

  {
    rpc: create,
    text: `failed to get container spec opts: failed to generate user string: user group "5" is specified without user`,
    code: "invalid_request",
  },
  {
    rpc: create,
    text: `mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount1: no users found`,
    code: "invalid_request",
  },
  { rpc: create, text: `invalid USER value "99999999999": uid out of range`, code: "invalid_request" },
  {
    rpc: start,
    text: `unable to start container process: unable to setup user: uids and gids must be in range 0-2147483647: unknown`,
    code: "invalid_request",
  },
  {
    rpc: create,
    text: `failed to generate apparmor spec opts: apparmor is not supported`,
    code: "invalid_request",
  },
  {
    rpc: create,
    text: `failed to generate seccomp spec opts: invalid profile "zzz"`,
    code: "invalid_request",
  },
  {
    rpc: run,
    text: `cannot load seccomp profile "/no/such": open /no/such: no such file or directory`,
    code: "invalid_request",
  },
  { rpc: create, text: `spec: the format of 'level' "bad" is not correct`, code: "invalid_request" },
  { rpc: create, text: `spec: no privileged container allowed in sandbox`, code: "invalid_request" },
  { rpc: run, text: `required only one gid mapping, but got 0 gid mapping(s)`, code: "invalid_request" },
  {
    rpc: create,
    text: `failed to generate spec: failed to mkdir "/proc/no/x": mkdir /proc/no: no such file or directory`,
    code: "invalid_request",
  },
  {
    rpc: create,
    text: `failed to generate spec: path "/tmp" is mounted on "/" but it is not a shared mount`,
    code: "invalid_request",
  },
  {
    rpc: create,
    text: `failed to generate spec: lstat /dev/no: no such file or directory`,
    code: "invalid_request",
  },
  { rpc: create, text: `failed to generate spec: not a device node`, code: "invalid_request" },
  {
    rpc: create,
    text: `CDI device injection failed: unresolvable CDI devices vendor.com/x=no`,
    code: "invalid_request",
  },
  {
    rpc: start,
    text: `error mounting "/etc/hostname" to rootfs at "/bin": mount /etc/hostname:/bin, flags: 0x5000: not a directory: unknown`,
    code: "invalid_request",
  },
  {
    rpc: start,
    text: `error during container init: mkdir /bin/busybox: not a directory: unknown`,
    code: "invalid_request",
  },
  {
    rpc: start,
    text: `error setting cgroup config for procHooks process: the maximum allowed cpu-shares is 262144: unknown`,
    code: "invalid_request",
  },
  {
    rpc: update,
    text: `exit status 1: failed to write "99": write /sys/fs/cgroup/cpuset/crest/ab/cpuset.cpus: numerical result out of range\n: unknown`,
    code: "invalid_request",
  },
  {
    rpc: update,
    text: `exit status 1: failed to write "000... (cut) ...000": write /sys/fs/cgroup/cpuset/crest/ab/cpuset.cpus: argument list too long\n: unknown`,
    code: "invalid_request",
  },
  {
    rpc: update,
    text: `exit status 1: unable to set memory limit to 1000 (current usage: 221184, peak usage: 2256896)\n: unknown`,
    code: "invalid_request",
  },
  {
    rpc: update,
    text: `exit status 1: invalid configuration: cannot use unified on cgroup v1\n: unknown`,
    code: "invalid_request",
  },
  {
    rpc: run,
    text: `unable to apply cgroup configuration: mkdir /sys/fs/cgroup/cpuset/a\nb: invalid argument: unknown`,
    code: "invalid_request",
  },
  { rpc: run, text: `failed to set label ""="x": key required: unknown`, code: "invalid_request" },
  { rpc: network, text: `get routes: invalid CIDR address: nope`, code: "invalid_request" },
  {
    rpc: start,
    text: 'unable to start container process: exec: "/etc/passwd": permission denied: unknown',
    code: "command_not_found",
  },

  // CRI-O, with runc's log in quotes and with crun.
  {
    rpc: execSync,
    text: 'command error: time="2026-11-28T14:07:04Z" level=error msg="exec failed: unable to start container process: exec: \\"/etc/passwd\\": permission denied", stdout: , stderr: , exit code -1',
    code: "command_not_found",
  },
  {
    rpc: create,
    text: "container create failed: open executable: Permission denied",
    code: "command_not_found",
  },
  {
    rpc: create,
    text: "container create failed: executable file `nope` not found in $PATH: No such file or directory",
    code: "command_not_found",
  },
  {
    rpc: create,
    text: "container create failed: exec container process `/etc/passwd`: Exec format error",
    code: "command_not_found",
  },
  {
    rpc: create,
    text: "set memory limit 1 too low; should be at least 12582912 bytes",
    code: "invalid_request",
  },
  { rpc: create, text: "set memory limit 1 too low; should be at least 12582912", code: "invalid_request" },
  {
    rpc: create,
    text: "container create failed: write to `cpuset.cpus`: Numerical result out of range",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: "container create failed: writing file `/sys/fs/cgroup/cpuset/a/cpuset.cpus`: Numerical result out of range",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: 'level=error msg="runc create failed: unable to apply cgroup configuration: failed to write \\"99\\": write /sys/fs/cgroup/cpuset/a/cpuset.cpus: numerical result out of range"',
    code: "invalid_request",
  },
  {
    rpc: create,
    text: 'setup seccomp: unable to load local profile "/no/such": open /no/such: no such file or directory',
    code: "invalid_request",
  },
  { rpc: create, text: 'unknown capability "CAP_NOPE" to add', code: "invalid_request" },
  { rpc: create, text: "target PID namespace specified with invalid target ID", code: "invalid_request" },
  {
    rpc: create,
    text: "target PID namespace find PID: container process not found",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "failed to pin namespaces [{net}]: [pinns:w]: failed to write to /proc/sys/net/ipv4/ip_forward: Invalid argument: exit status 1",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "container create failed: write to `/proc/sys/net/ipv4/ip_forward`: Invalid argument",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "cri-o configured with systemd cgroup manager, but did not receive slice as parent: /x",
    code: "invalid_request",
  },
  {
    rpc: update,
    text: "updating resources: write to `memory.limit_in_bytes`: Device or resource busy: exit status 1",
    code: "invalid_request",
  },

  // cri-dockerd.
  {
    rpc: create,
    text: "Error response from daemon: Minimum memory limit allowed is 6MB",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: "Error response from daemon: Minimum memoryswap limit should be larger than memory limit, see usage",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: "Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: "Error response from daemon: Requested CPUs are not available - requested 0-99, available: 0-1",
    code: "invalid_request",
  },
  {
    rpc: create,
    text: "Error response from daemon: Invalid value a-b for cpuset cpus: invalid",
    code: "invalid_request",
  },
  {
    rpc: update,
    text: "Error response from daemon: CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    code: "invalid_request",
  },
  { rpc: create, text: 'invalid CapAdd: unknown capability: "CAP_NOPE"', code: "invalid_request" },
  {
    rpc: create,
    text: 'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_BPF"',
    code: "invalid_request",
  },
  {
    rpc: create,
    text: 'Error response from daemon: invalid mount config for type "bind": field Source must not be empty',
    code: "invalid_request",
  },
  { rpc: create, text: "Error response from daemon: Duplicate mount point: /x", code: "invalid_request" },
  {
    rpc: start,
    text: 'Error response from daemon: error gathering device information while adding custom device "/dev/x": no such file or directory',
    code: "invalid_request",
  },
  {
    rpc: start,
    text: "cannot join PID of a non running container: ab: No such container: ab",
    code: "invalid_request",
  },
  { rpc: start, text: "Error response from daemon: No such container: ab", code: "invalid_request" },
  {
    rpc: start,
    text: "error while creating mount source path '/proc/no/x': mkdir /proc/no: no such file or directory",
    code: "invalid_request",
  },
  {
    rpc: start,
    text: "path /srv is mounted on / but it is not a shared or slave mount",
    code: "invalid_request",
  },

  // containerd and runc.
  {
    rpc: create,
    text: 'spec: invalid target container: container "ff" does not exist: not found',
    code: "invalid_request",
    grpc: NOT_FOUND,
  },
  {
    rpc: create,
    text: 'path "/tmp" is mounted on "/" but it is not a shared or slave mount',
    code: "invalid_request",
  },
  {
    rpc: run,
    text: "unable to set hostname without a private UTS namespace: unknown",
    code: "invalid_request",
  },
  {
    rpc: run,
    text: 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    code: "invalid_request",
  },
  {
    rpc: create,
    text: 'recursive read-only mount needs private propagation, got "PROPAGATION_HOST_TO_CONTAINER" (hostPath="/x")',
    code: "invalid_request",
  },
  {
    rpc: start,
    text: "container init was OOM-killed (memory limit too low?): unknown",
    code: "invalid_request",
  },
  {
    rpc: start,
    text: 'failed to write "1000": write /sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes: invalid argument: unknown',
    code: "invalid_request",
  },

  // Changes under way.
  {
    rpc: start,
    text: 'failed to set starting state for container "ab": container is already in starting state',
    code: "state_changing",
  },
  { rpc: start, text: "container is in removing state, can't be started", code: "state_changing" },
  {
    rpc: "RuntimeService/RemoveContainer",
    text: "container is in starting state, can't be removed",
    code: "state_changing",
  },
  {
    rpc: "RuntimeService/RemovePodSandbox",
    text: 'failed to remove container "ab": container is already in removing state',
    code: "state_changing",
  },
  {
    rpc: "RuntimeService/RemoveContainer",
    text: "container is still running, to stop first",
    code: "state_changing",
  },
  {
    rpc: "RuntimeService/RemoveContainer",
    text: 'failed to remove container "ab": Error response from daemon: removal of container ab is already in progress',
    code: "state_changing",
  },
  {
    rpc: start,
    text: "Error response from daemon: container is marked for removal and cannot be started",
    code: "state_changing",
  },
  { rpc: update, text: 'container "ab" is in removing state', code: "state_changing" },
  {
    rpc: run,
    text: "Kubelet may be retrying requests that are timing out: error reserving pod name k8s_web for id ab: name is reserved",
    code: "state_changing",
  },
  { rpc: execSync, text: "cannot exec in a paused state: unknown", code: "conflict" },
  { rpc: execSync, text: "cannot exec in a stopped state: unknown", code: "not_running" },
  { rpc: execSync, text: "cannot exec in a deleted state: unknown", code: "not_running" },
  { rpc: execSync, text: "exec failed: cannot exec in a stopped container: unknown", code: "not_running" },
  { rpc: execSync, text: "cannot register an exec PID: container is stopping", code: "not_running" },
  {
    rpc: execSync,
    text: "container is not created or running: checking if PID of ab is running failed",
    code: "not_running",
    grpc: NOT_FOUND,
  },
  {
    rpc: execSync,
    text: "failed to load task: no running task found: task ab not found: not found",
    code: "not_running",
    grpc: NOT_FOUND,
  },
  {
    rpc: execSync,
    text: 'failed to create exec "12": task ab not found: not found',
    code: "not_running",
    grpc: NOT_FOUND,
  },
];

for (const { rpc, text, code, grpc = status.UNKNOWN } of rows) {
  test(`${rpc.split("/")[1]}: "${text}" is ${code}`, async () => {
    const state = rpc === execSync ? "CONTAINER_RUNNING" : "CONTAINER_CREATED";
    const error = await explained(runtimeIn(state), rpc, grpc, text);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(text), "the text is kept");
    assert.equal(error.grpcCode, status[grpc], "and the code");
  });
}

test("texts of one RPC say nothing about another", async () => {
  const strangers: readonly (readonly [Rpc, string])[] = [
    [run, "unauthorized: authentication required"],
    [run, "connection refused"],
    ["RuntimeService/Status", "executable file not found"],
    [pull, "image is in use by a container"],
    [imageStatus, "short write"],
    [execSync, 'no runtime for "nope" is configured'],
  ];
  for (const [rpc, text] of strangers) {
    const error = await explained(runtimeIn("CONTAINER_RUNNING"), rpc, status.UNKNOWN, text);
    assert.equal(error.code, "runtime_error", `${rpc}: ${text}`);
  }
});

test("a state explains a failure whose text is about it", async () => {
  const cases: readonly (readonly [Rpc, ContainerState, ErrorCode, string])[] = [
    [start, "CONTAINER_RUNNING", "already_running", "container is in CONTAINER_RUNNING state"],
    [start, "CONTAINER_EXITED", "already_exited", "container ab is not in created state: stopped"],
    [execSync, "CONTAINER_EXITED", "not_running", "container not running (ab)"],
    [execSync, "CONTAINER_CREATED", "not_running", "container is in CONTAINER_CREATED state"],
    ["RuntimeService/ReopenContainerLog", "CONTAINER_EXITED", "not_running", "container is not running"],
    [
      "RuntimeService/UpdateContainerResources",
      "CONTAINER_EXITED",
      "not_running",
      "container ab is not running or created state: stopped",
    ],
    ["RuntimeService/ContainerStats", "CONTAINER_EXITED", "not_running", "unexpected metrics response: []"],
  ];
  for (const [rpc, state, code, text] of cases) {
    const error = await explained(runtimeIn(state), rpc, status.UNKNOWN, text);
    assert.equal(error.code, code, `${rpc}: ${text}`);
    assert.equal(error.status, 409);
    assert.ok(error.message.includes(text));
  }
});

test("a command fails in any words when its container ends meanwhile", async () => {
  for (const text of [
    "exec failed: unable to start container process: error executing setns process: exit status 1",
    "exec failed: unable to start container process: open /proc/12/ns/ipc: no such file or directory",
    "exec failed: container does not exist",
    "exec failed: cannot exec in a paused container (use --ignore-paused to override)",
    "ttrpc: closed",
  ]) {
    const error = await explained(runtimeIn("CONTAINER_EXITED"), execSync, status.UNKNOWN, text);
    assert.equal(error.code, "not_running", text);
    const going = await explained(runtimeIn("CONTAINER_RUNNING"), execSync, status.UNKNOWN, text);
    assert.notEqual(going.code, "not_running", text);
  }
});

test("a state that the call itself may have brought about explains nothing", async () => {
  const error = await explained(
    runtimeIn("CONTAINER_EXITED"),
    start,
    status.UNKNOWN,
    "OCI runtime create failed",
  );
  assert.equal(error.code, "runtime_error");
});

test("what was removed meanwhile is not found", async () => {
  const runtime = stubRuntime({
    "RuntimeService/ContainerStatus": () => serviceError(status.UNKNOWN, "No such container: ab"),
  });
  for (const text of ["container with id ab not found", "container not running (ab)"]) {
    const error = await explained(runtime, execSync, status.UNKNOWN, text);
    assert.equal(error.code, "not_found", text);
    assert.ok(error.message.includes(text));
  }
});

test("a state that cannot be read leaves the failure as it was", async () => {
  const runtime = stubRuntime({
    "RuntimeService/ContainerStatus": () => serviceError(status.UNAVAILABLE, "gone"),
  });
  const error = await explained(runtime, execSync, status.UNKNOWN, "container is in no state");
  assert.equal(error.code, "runtime_error");
});

test("translateError() asks nothing of a runtime that has gone, whatever it said last", async () => {
  const runtime = runtimeIn("CONTAINER_EXITED");
  for (const text of ["container is in CONTAINER_EXITED state", "No such container"]) {
    const error = await explained(runtime, execSync, status.UNAVAILABLE, text);
    assert.equal(error.code, "outcome_unknown");
  }
  assert.deepEqual(runtime.called, []);
});

/** RPC, state -> what a call is refused with before it is made. */
const refusals: readonly (readonly [Rpc, ContainerState, ErrorCode | undefined])[] = [
  [start, "CONTAINER_CREATED", undefined],
  [start, "CONTAINER_RUNNING", "already_running"],
  [start, "CONTAINER_EXITED", "already_exited"],
  [start, "CONTAINER_UNKNOWN", "already_exited"],
  ...(
    [
      "RuntimeService/ExecSync",
      "RuntimeService/Exec",
      "RuntimeService/Attach",
      "RuntimeService/ReopenContainerLog",
      "RuntimeService/CheckpointContainer",
    ] as const
  ).flatMap(
    (rpc) =>
      [
        [rpc, "CONTAINER_CREATED", "not_running"],
        [rpc, "CONTAINER_RUNNING", undefined],
        [rpc, "CONTAINER_EXITED", "not_running"],
      ] as const,
  ),
  ["RuntimeService/UpdateContainerResources", "CONTAINER_CREATED", undefined],
  ["RuntimeService/UpdateContainerResources", "CONTAINER_RUNNING", undefined],
  ["RuntimeService/UpdateContainerResources", "CONTAINER_EXITED", "not_running"],
];

for (const [rpc, state, code] of refusals) {
  test(`${rpc.split("/")[1]} of what is ${state} is ${code ?? "sent"}`, async () => {
    const check = checkPreconditions(runtimeIn(state), rpc, { containerId: container }, {});
    if (code === undefined) await check;
    else
      await assert.rejects(
        check,
        (error: GatewayError) => error.code === code && error.message.includes(state),
      );
  });
}

test("what needs a pod that is ready is refused where it is not", async () => {
  for (const rpc of [
    "RuntimeService/PortForward",
    "RuntimeService/PodSandboxStats",
    "RuntimeService/UpdatePodSandboxResources",
  ] as const) {
    await checkPreconditions(runtimeIn("CONTAINER_RUNNING"), rpc, { podSandboxId: pod }, {});
    const stopped = runtimeIn("CONTAINER_RUNNING", "SANDBOX_NOTREADY");
    await assert.rejects(
      checkPreconditions(stopped, rpc, { podSandboxId: pod }, {}),
      (error: GatewayError) => error.code === "pod_not_ready",
    );
  }
});

test("recallSandboxConfig() refuses a pod that is not ready for a container", async () => {
  await assert.rejects(
    recallSandboxConfig(runtimeIn("CONTAINER_RUNNING", "SANDBOX_NOTREADY"), pod),
    (error: GatewayError) => error.code === "pod_not_ready" && error.message.startsWith("CreateContainer"),
  );
});

test("nothing is read before calls that every runtime judges itself", async () => {
  const runtime = runtimeIn("CONTAINER_EXITED", "SANDBOX_NOTREADY");
  const free: readonly Rpc[] = [
    "RuntimeService/ContainerStatus",
    "RuntimeService/ContainerStats",
    "RuntimeService/StopContainer",
    "RuntimeService/RemoveContainer",
    "RuntimeService/StopPodSandbox",
    "RuntimeService/RemovePodSandbox",
    "RuntimeService/RunPodSandbox",
    "ImageService/PullImage",
  ];
  for (const rpc of free)
    await checkPreconditions(runtime, rpc, { containerId: container, podSandboxId: pod }, {});
  assert.deepEqual(runtime.called, []);
});
