/**
 * Descriptions for the published document where CRI's own comment would mislead a caller: what each operation does
 * here, and the messages and fields that Crest treats differently from the runtimes.
 */
import { comments } from "../../gen/comments.ts";
import { descriptors } from "../../gen/descriptors.ts";
import { methods } from "../../gen/methods.ts";
import type { Route } from "../../routes/define.ts";
import type { RouteId } from "../../routes/index.ts";

const wholeList =
  "A runtime's reply is limited to 16 MiB (80 MiB on CRI-O). Crest reads a larger list in parts; where it cannot, the response is 502 `reply_too_large`. Items that cannot be read are left out and named in `failures`.";

const watchedUsage =
  "Rates are the difference between two readings, so they are null in the first reading and after a restart. A JSON response is a single item, with rates from two readings `interval` apart. To receive every reading, use `Accept: application/x-ndjson`, `text/event-stream` or `text/plain`, or open a WebSocket at the same path. All watchers share one collector. It reads at the shortest interval that any of them asked for, and stops when nobody watches. A slow reader misses readings. While the runtime is unreachable, no items are sent; after a minute, the stream ends with the problem. Each watcher counts towards `--max-sessions`.\n\nIf the gateway runs on the node, it reads disk and network traffic, throttling and limits from the kernel. Otherwise, values that CRI does not report are null.";

/** What each operation does. */
export const operations: { readonly [Id in RouteId]: string } = {
  getVersion:
    "Returns the runtime's name and version. It needs neither the network nor images, which makes it a quick check that the runtime responds. The `Crest-Version` header is the version of the gateway.",
  getRuntimeStatus:
    "Shows whether the runtime and its network are ready, and which handlers and features the runtime has. The status is 200 even if the runtime is not ready: check `status.conditions`.",
  getRuntimeConfig:
    "Returns the runtime settings that clients must match, such as the cgroup driver. Not available on containerd 1.x (501).",
  getCapabilities:
    "Shows which CRI RPCs the runtime supports, and how it differs from other runtimes. Crest probes only with reads, and caches the results until the runtime restarts. For other RPCs it relies on the replies so far and on the runtime's version; `support` is `unknown` if neither is conclusive.",
  getGrants: "Lists what the caller may do, and the most that it may use. Needs a token, but no grant.",
  listTokens:
    "Lists the tokens that the caller made, and those that were made with them; for the gateway's own token, all. Never shows a token. Needs a token, but no grant.",
  createToken:
    "Makes a token for somebody else, such as a shell for a colleague for one hour. It can do what both its own grants and those of the caller allow, so it can never do more than the caller, and it ends with the caller's token. `name` and `grants` are required. A caller can have up to 100 tokens, those that were made with them included. Needs a token, but no grant.",
  revokeToken:
    "Revokes a token that the caller made, or that was made with one of these, and all that were made with it. Their sessions and streams end within a second. Needs a token, but no grant.",
  run: "Pulls an image if it is `missing`, runs a pod, creates a container in it and starts it. `image` is all that is required; `command` and `args` have CRI's meaning: `args` alone go to the image's entrypoint. What CRI has besides the named members goes into `pod` and `container`. Everything that the requests for the single steps fill in is filled in here, too.\n\nThe request is checked as a whole before anything happens: the grants (`run`, `pull` unless `pull` is `never`, `logs` for `wait`, `remove` for `remove`), the values, and the pod policy for the pod and the container, with pointers into this body. If a step fails, what was made is removed again, and the problem says in `step` which one it was; an image that was pulled stays. So it is if the client leaves before the container has started. If the removal fails as well, `podSandboxId` and `containerId` say what is left.\n\nWith `wait`, the response comes when the container has exited or `timeout` has passed, with up to 4 MiB of output; the log has more. A client that leaves meanwhile does not stop the container. With `remove`, pod and container are removed after the wait, however it ended.\n\nTwo runs of one name: one succeeds, the other is 409 `name_reserved`. With `Accept: application/x-ndjson` or `text/event-stream`, the progress of the pull comes first, and the answer as the last item.",
  listSessions:
    "Lists the sessions with `session=keep` that the caller began, connected or not; for the gateway's own token, those of all callers. Needs a token, but no grant.",
  endSession:
    "Ends a kept session at once, as if its client had closed it, and closes its connection with 4410. A caller can end the sessions that it began; the gateway's own token can end all. Another caller's is 404. Needs a token, but no grant.",
  resumeSession:
    'Goes on with a session of [execContainer](/docs#execContainer) or [attachContainer](/docs#attachContainer) that was begun with `session=keep`, over a new WebSocket. Only the caller who began it can do so, and needs the grant for the container again; for everyone else it is 404, as is a session that has ended or that began before the gateway was restarted.\n\nMessages are those of the session, and channel 5 carries JSON. The first message of each connection is `{"session": {"id", "type", "containerId", "stdin", "tty", "lingerSeconds"}, "input", "output", "lost"}`: `input` is the position of the input that the gateway has, so send again what comes after it; `output` is the position of the output that comes next; `lost` is how many bytes before that are no longer kept. Later, the gateway sends `{"input": n}` as more arrives, and the client sends `{"output": n}`. The command waits while 256 KiB are unconfirmed, with a client or without, so nothing is lost. Two do not wait: a command with a terminal while it has no client, and an attached container. Of their output, the latest 256 KiB are kept.\n\nThe gateway sends something at least every 5 s. A client that closes with 1000, or without a code, ends the session; any other code, such as 4000, or a lost connection keeps it for `--session-linger`. If another connection takes over, the one before is closed with 4409.',
  createSignInKey:
    "Makes a key that signs in as the caller, for `signIn` alone: once, and within five minutes. For a link such as `/docs#key=KEY`, which then holds no token. Needs a token, but no grant.",
  signIn:
    "Makes a token that can do the same as the caller's own, for up to twelve hours and not beyond the end of the gateway, so that a page need not store the other. The bearer is a token, or a key of `createSignInKey`, which nothing else takes. A caller can have up to 100; another one ends the oldest. Needs no grant.",
  setNetworkConfig:
    "Sets the address range for the pods on this node. It only has an effect on containerd with a CNI template in its configuration; all other runtimes accept and ignore it.",
  listMetricDescriptors:
    "Lists the metrics that `listPodMetrics` can return, and their label keys. Available on CRI-O and on containerd 2.2 or later; 501 elsewhere.",
  listPodMetrics:
    "Lists the metrics of all pods and their containers, for a Prometheus exporter. Available on CRI-O and on containerd 2.2 or later; 501 elsewhere.",
  getImageFilesystems:
    "Shows the space and inodes that images use, for each file system that stores them. CRI-O and cri-dockerd also report those of containers.",

  listPods: `Lists pods, including stopped ones. ${wholeList}`,
  runPod:
    "Creates and starts a pod: its namespaces, network and cgroup, without any containers. `metadata.name` is required. Crest fills in `metadata.uid`, `metadata.namespace` (`default`), a log directory below the gateway's data folder, and a cgroup parent for the pod, if they are missing. It also adds the label `crest/managed=true`.\n\nA pod with the same name, namespace, uid and attempt is a conflict on every runtime: 409 `name_reserved`. So is a host port that another pod uses: 409 `port_in_use`.",
  getPod:
    "Shows a pod: its state, addresses and labels. A stopped pod remains visible until it is removed. An unknown pod is 404.",
  removePod:
    "Removes a pod and all its containers, even running ones. An unknown pod is 404, unless another caller removed it during this request. Log files stay on the node, except on cri-dockerd.",
  prunePods:
    "Lists stopped pods. With `dryRun=false`, removes them and their containers. It skips pods with a container that runs or may be running, and, without `unmanaged`, pods that Crest did not create, such as a kubelet's. If a pod cannot be removed, the others still are; `failures` names it. Container logs are kept for `--log-keep`.",
  stopPod:
    "Stops a pod: kills its processes and releases its addresses. The pod still exists afterwards, and stopping it again is also 204. An unknown pod is 404. Without `timeout`, containerd and cri-dockerd kill the containers immediately. With `timeout`, Crest stops all containers first, in parallel. On CRI-O it always does, because CRI-O would wait for up to two minutes.",
  updatePodResources:
    "Informs the runtime that the pod-level resources have changed. The limits of its containers stay the same. Available on CRI-O and on containerd 2.3 or later; 501 elsewhere.",
  getPodStats:
    "Measures a pod and its containers. A stopped pod is 409 `pod_not_ready`. containerd measures the pod's cgroup parent: pods that share one report their combined usage, and a pod without one, which only clients other than Crest create, cannot be measured. Not available on cri-dockerd (501).",
  listPodStats:
    "Measures all pods. Pods that cannot be measured are left out and named in `failures`: on containerd, those that another client created without `linux.cgroupParent`. Not available on cri-dockerd (501).",
  checkpointPod:
    "Writes a checkpoint of a pod to a folder on the node. The pod is paused meanwhile. New in CRI: none of the tested runtimes supports it (501).",
  restorePod:
    "Creates a pod and its containers from a checkpoint by `checkpointPod`. The containers are in state created, and resume when they are started. New in CRI: none of the tested runtimes supports it (501).",
  forwardPorts:
    "Connects to ports of a pod over a WebSocket, in Kubernetes' protocol. For the port at index i of the query, channel 2i carries data and channel 2i+1 errors; the first message on each channel is the port number, as two bytes in little-endian order. With `raw=true` and a single port, messages contain only the bytes of the connection. Only the ports in the query can be reached. A stopped pod is 409 `pod_not_ready`.",

  listContainers: `Lists containers, including exited ones. ${wholeList}`,
  createContainer:
    "Creates a container in a pod, without starting it. `metadata.name` and `image` are required. Crest reads the pod's configuration from the runtime, so `sandboxConfig` is only needed to replace it. Crest fills in `logPath` if it is missing.\n\nThe image must be on the node. Otherwise the response is 404 `image_not_found`, and `detail` contains the command to pull it. A container with the same name and attempt in the pod is a conflict on every runtime: 409 `name_reserved`.",
  getContainer:
    "Shows a container: its state, times, exit code, mounts and log path. An unknown container is 404. Right after a session ends, the state may be out of date for a moment.",
  removeContainer:
    "Removes a container, and kills it first if it is running. An unknown container is 404, unless another caller removed it during this request. Its log is kept on the node for `--log-keep`, except on cri-dockerd.",
  startContainer:
    "Starts a created container, and responds once its process is running. A container can only be started once, on every runtime: 409 `already_running` if it is running, 409 `already_exited` if it has exited. If its program does not exist, the response is 400 `command_not_found`.",
  stopContainer:
    "Sends the container its stop signal, then SIGKILL if it is still running after `timeout` seconds. Responds once it has exited. Stopping it again is also 204; an unknown container is 404. If the client disconnects during the timeout, the container keeps running on containerd and cri-dockerd, but is still stopped on CRI-O.",
  updateContainerResources:
    "Changes a container's resource limits without restarting it. `linux` is required; fields that it omits keep their values. The container must be created or running, otherwise the response is 409 `not_running`.",
  getContainerStats: "Measures a container. If it is not running, the response is 409 `not_running`.",
  listContainerStats:
    "Measures all containers. The list includes exited containers on containerd and cri-dockerd, but not on CRI-O.",
  checkpointContainer:
    "Writes a checkpoint of a running container to a file on the node; the container continues. Needs CRIU on the node. Not available on cri-dockerd and containerd 1.x (501).",
  execSync:
    'Runs a command in a running container, waits for it to exit, and returns its output and exit code. `cmd` is not interpreted by a shell: for pipes and variables, use `["sh", "-c", "..."]`. For interactive commands, open a WebSocket at the same path: [execContainer](/docs#execContainer).\n\nA command that takes longer than `timeout` seconds is 504 `exec_timeout`. Output is limited to about 16 MiB; more is 422 `output_too_large`. Crest reserves 4 MiB for each running command, and one caller may use half of `--max-buffer`, so by default 32 commands run at once. Further ones wait for up to 5 s; after that, they are 503 `overloaded` and have not run. If the client disconnects, the command keeps running on CRI-O and cri-dockerd.',
  execContainer:
    'Runs a command in a running container over a WebSocket, in Kubernetes\' protocol. `command` is required; repeat it for each argument. stdout and stderr are sent unless set to false; with `tty`, all output is stdout. Errors found before the session begins are ordinary problem responses.\n\nEach message is a channel byte and its payload: 0 stdin, 1 stdout, 2 stderr, 3 the status as JSON, 4 terminal size (`{"Width":80,"Height":24}`), 255 half-close (v5). The first message is empty and means that the session has begun. Browsers send the token as an additional subprotocol, `base64url.bearer.authorization.k8s.io.TOKEN`.\n\nWith `session=keep`, the session survives a lost connection: [resumeSession](/docs#resumeSession). On containerd before 2.0, CRI-O and cri-dockerd, the command keeps running if its client disconnects. containerd closes stdin when the command closes its stdout. It never sends the status of a command that left more than about 128 KiB of stdin unread; after `--status-grace`, the status is `exit unknown`.',
  attachContainer:
    "Connects to the input and output of a container's main process over a WebSocket, with the messages of [execContainer](/docs#execContainer). Only new output is sent; earlier output is in the log. stdout and stderr are sent unless set to false; with `tty`, all output is stdout.\n\nIf the container was created with `stdinOnce`, stdin closes when the first client disconnects. Otherwise stdin stays open; on containerd, a half-close then also ends the session's output. containerd responds slightly before it starts to forward output, so a line written at that moment can be lost. A client that reads too slowly is disconnected (4408), because it would block the container. With `session=keep`, the session survives a lost connection: [resumeSession](/docs#resumeSession).",
  reopenContainerLog:
    "Makes the runtime reopen the container's log file, as the last step of a log rotation. Until then, the runtime writes to the renamed file. The container must be running (409 `not_running`). Not available on cri-dockerd (501).",
  getContainerLogs:
    "Reads a container's log, including rotated files. Without an `Accept` header, the response is plain text. `Accept: application/x-ndjson` and `text/event-stream` return one item per line, as does a WebSocket at the same path. `application/json` returns a page of at most 10,000 lines or 8 MiB, with a `cursor`.\n\nEach item has a `cursor`. Pass it as `cursor` or `Last-Event-ID` to resume exactly after that line, even after a rotation or a restart of the gateway. If the file no longer exists, the response is 410 `cursor_gone`, with the nearest cursor that does.\n\n`follow` sends new lines until the container exits. `grep`, `regex` and `level` filter on the node; with `tailLines`, you get the last matching lines. Crest joins the chunks that runtimes split long lines into, up to 1 MiB per line. `previous` reads the attempt before this one. A removed container, if Crest created its pod, can be read as long as its log is kept (`--log-keep`). Each follower counts towards `--max-sessions`.",
  getPodLogs:
    "Reads the logs of all containers in a pod, merged by time. Items have a `container`; for plain text, use `prefix`. With `follow`, new containers are included, lines are delayed by up to 250 ms to sort them, and the stream ends when the pod stops. Removed containers are included as long as their logs are kept, even after the pod was removed. Formats and parameters are those of a container's log.",
  listLogs:
    "Reads the logs of all matching containers, merged by time. Items have a `namespace`, `pod` and `container`; for plain text, use `prefix`. With `follow`, containers are added as they start and dropped as they exit. Removed containers of pods that Crest created are included as long as their logs are kept (`--log-keep`); their items have `removed`. At most 500 logs can be read at once. If there are more with removed containers, those removed first are left out. Formats and parameters are those of a container's log.",
  getPostMortem:
    "Explains how a container ended: its exit code and signal, the runtime's reason, whether it ran out of memory, the last lines of its log, its run time, earlier attempts, its events and the state of its pod. `cause` is the probable cause in one sentence, or `unknown` if these facts do not show it. A running container has no `exit`. A removed container is found by its full id as long as its events are known.\n\nSome parts need a grant besides `read:containers`: `log` needs `logs`, `events` need `read:events`, `pod` needs `read:pods`, the peak in `memory` needs `read:stats`, and `command` needs `verbose`. A part that is not available is absent, and `missing` says why; the other parts are still returned. Events are kept only while somebody reads [listEvents](/docs#listEvents), and for a minute after.",
  waitContainer:
    'Waits for a container to exit, and returns its exit code. If it is still running after `timeout` seconds, the response has `exited: false`: repeat the request.\n\nTo follow the state, use `Accept: application/x-ndjson`, `text/event-stream` or `text/plain`, or open a WebSocket at the same path. The current state is sent first, then every change, until the container exits or the timeout expires. If the stream fails, its last item is the problem: a line `{"error": ...}`, or an event of type `error`. Each follower counts towards `--max-sessions`.',
  watchContainerStats: `Measures all running containers repeatedly. Each item lists all of them, without those that have exited since. ${watchedUsage}`,
  watchOneContainerStats: `Measures a container repeatedly, until it exits. If it is not running, the response is 409 \`not_running\`. ${watchedUsage}`,
  watchPodStats: `Measures all ready pods repeatedly. Each item lists all of them, without those that have stopped since. ${watchedUsage}`,
  watchOnePodStats: `Measures a pod repeatedly, until it stops. If it is not ready, the response is 409 \`pod_not_ready\`. ${watchedUsage}`,

  listEvents:
    "Lists the pods, containers and images on the node and, with `watch=true`, sends events as they change. The events are the same on every runtime.\n\nThe stream begins with a snapshot, the latest event of each pod and container, marked `snapshot`. A `bookmark` follows, then new events. With `since`, the events after an id or time replace the snapshot. Crest keeps the last 10,000 events for up to 10 minutes, while there are readers and for a minute after the last one leaves. If events may have been missed, because the id is too old or the gateway or the runtime restarted, a `resync` and a new snapshot are sent. A reader that falls 1,000 events behind receives a `gap`, and its stream ends. Server-sent events carry the `id`, so browsers resume automatically.\n\nAn exit is reported immediately, with its exit code. If the runtime later gives a different reason, a second event `amends` the first. Image events come from comparing lists, so one pull is one event.\n\nOn containerd, Crest uses containerd's own events. CRI-O's events do not cover removed pods, OOM kills, exec and images; Crest adds what it can by comparing lists every two seconds. On cri-dockerd, it only compares lists, every second. `events` in [getCapabilities](/docs#getCapabilities) shows the source. Each reader counts towards `--max-sessions`.",

  listImages: "Lists the images on the node. `image` filters by name or id, on every runtime.",
  getImage:
    "Shows an image on the node, by name, digest or id. Registries are not contacted. An image that is not on the node is 404, and `detail` contains the command to pull it.",
  removeImage:
    "Removes an image with all its names, whichever of them was given, and returns them. An image that a container was created from is 409 `image_in_use`. An image that is not on the node is 404.",
  pruneImages:
    "Lists unused images. With `dryRun=false`, removes them with all their names. An image is in use if a container in any state was created from it or mounts it. The sandbox image and pinned images are never removed. If an image cannot be removed, the others still are; `failures` names it. CRI does not report when an image was pulled or last used, so an image that was just pulled for a new container counts as unused.",
  pullImage:
    'Pulls an image from its registry, and responds once it is ready for use. `image` is required. `auth` is never logged.\n\nRequests for the same reference with the same credentials share one pull. It is cancelled when the last client disconnects, unless one of them set `detach=true`. [listPulls](/docs#listPulls) lists pulls, and [cancelPull](/docs#cancelPull) cancels a pull for all its clients: 409 `pull_cancelled`.\n\nTo follow the progress, use `Accept: application/x-ndjson` or `text/event-stream`. Items `{"progress": ...}` are sent at most four times a second. The last item is `{"result": ...}` or the problem: a line `{"error": ...}`, or an event of type `error`. On containerd, the progress lists the layers with their downloaded and unpacked bytes. CRI-O and cri-dockerd report no progress: the phase is `pulling`, with the elapsed time. Each follower counts towards `--max-sessions`.',
  listPulls:
    "Lists pulls in progress and up to 100 pulls that ended in the last 10 minutes, newest first. Only includes this gateway's pulls, of images that the caller may pull.",
  getPull:
    "Shows a pull: its phase, its layers and, if it failed, the reason. A pull that ended more than 10 minutes ago, or of an image that the caller may not pull, is 404.",
  cancelPull:
    "Cancels a pull for all its clients, and responds once it has ended. Has no effect on a pull that has already ended. A pull that another caller has asked for is 409; only the gateway's own token cancels any. CRI-O keeps completed layers.",
};

/** `Message` or `Message.field` -> the description that replaces CRI's comment. */
const overrides: { readonly [name: string]: string } = {
  AuthConfig:
    "Registry credentials, used for this pull only: either a user name and password (or both in `auth`), an identity token, or a registry token. A user name without a password is ignored if another kind is given.",
  "AuthConfig.serverAddress":
    "Registry that the credentials are for, as a URL or host. If empty, they are used for any registry. containerd ignores credentials for a host other than the one it pulls from.",
  "AuthConfig.registryToken":
    "Bearer token that is sent to the registry unchanged. Not supported by containerd (501).",
  PullImageRequest: "The image to pull, and the credentials for it.",
  ExecSyncRequest: "The command to run.",
  CheckpointContainerRequest:
    "Where to write the checkpoint. It contains the container's memory, including secrets.",
  UpdateContainerResourcesRequest: "The limits to change. Omitted fields keep their values.",
  UpdatePodSandboxResourcesRequest: "The resources of the pod as a whole.",
  CheckpointPodRequest: "Where to write the checkpoint, and which containers to include.",
  RestorePodRequest: "The checkpoint, and the configurations of the new pod and its containers.",
  PodSandboxConfig: "The configuration of a pod.",
  ContainerConfig: "The configuration of a container. Only its resources can be changed later.",
  "PodSandboxConfig.metadata": "Name, uid, namespace and attempt of the pod. `name` is required.",
  "PodSandboxConfig.hostname":
    "Host name of the pod, at most 64 bytes. Leave it empty for a pod with the node's network, which has the node's host name.",
  "PodSandboxConfig.logDirectory":
    "Absolute path of the node's folder for the containers' log files; their `logPath` is relative to it. Crest creates the folder. Default: a folder below the gateway's data folder.",
  "PortMapping.hostPort":
    "Port to open on the node, 1 to 65535; 0 publishes nothing. Only one pod at a time can use a port for a given protocol and address, until that pod stops. containerd accepts a port on which a process of the node listens, and redirects its connections to the pod.",
  "PortMapping.hostIp":
    "IP address of the node to listen on, such as `192.0.2.1` or `2001:db8::1`; empty means all addresses.",
  Capability:
    "Changes to the runtime's default set of Linux capabilities. Crest treats `NET_ADMIN`, `CAP_NET_ADMIN` and `net_admin` alike; `ALL` means every capability. Unknown names are refused.",
  "LinuxContainerResources.cpuPeriod":
    "Length of a CPU accounting period in microseconds, 1000 to 1000000. If absent or 0, the kernel's default applies: 100000 (100 ms).",
  "LinuxContainerResources.cpuQuota":
    "CPU time that the container may use in each `cpuPeriod`, in microseconds across all CPUs, at least 1000: with a period of 100000, 50000 is half a CPU and 200000 is two. Absent or 0 means no limit; a negative value removes a limit.",
  "PodSandboxMetadata.uid": "Unique id of the pod, as in Kubernetes' metadata.uid. Default: a random UUID.",
  "PodSandboxMetadata.namespace":
    "Kubernetes namespace of the pod, not a Linux namespace. Default: `default`.",
  "LinuxPodSandboxConfig.cgroupParent":
    "Parent of the pod's cgroups: a path such as `/kubepods/pod1` with the cgroupfs driver, a slice such as `pods.slice` with systemd. Default: a separate one for each pod, which containerd needs to measure the pod.",
  "CreateContainerRequest.sandboxConfig":
    "The configuration that the pod was created with. Crest reads it from the runtime, so it is rarely needed.",
  "ContainerConfig.metadata": "Name and attempt of the container within its pod. `name` is required.",
  "ContainerConfig.image":
    "Image to create the container from; it must be on the node. A full reference, a reference with a digest, or the image's id. Runtimes resolve short names such as `busybox` differently. Required.",
  "ContainerConfig.logPath":
    "Log file, relative to the pod's `logDirectory`; `..` is refused. Default: `NAME/ATTEMPT.log`.",
  "ContainerConfig.command":
    "Program to run instead of the image's `ENTRYPOINT`, without a shell. Also discards the image's `CMD`. If the program does not exist, creating or starting the container fails with 400 `command_not_found`.",
  "ContainerMetadata.name":
    "Name of the container. The name and `attempt` must be unique within the pod, otherwise the response is 409 `name_reserved`.",
  "ExecSyncRequest.cmd":
    "Program and its arguments, without a shell. Required. If the program does not exist, the response is 400 `command_not_found`.",
  "ExecSyncRequest.timeout":
    "Time limit in seconds. Default: 0, no limit. A command that exceeds it is killed, except on cri-dockerd, where it keeps running; the response is 504 `exec_timeout`.",
  "UpdateContainerResourcesRequest.linux": "New values for a Linux container. Required.",
  "RestorePodRequest.config":
    "Complete configuration of the new pod, including what differs from the saved one, such as its uid and log directory. Required.",
  "StopContainerRequest.timeout": "Seconds between the stop signal and SIGKILL. 0 kills immediately.",
  "PodSandboxFilter.id": "Id of the pod to list. Most runtimes also accept a unique prefix.",
  "PodSandboxStatsFilter.id": "Id of the pod to measure.",
  "PodSandboxStateValue.state": "State of the pods to list. Short forms: `ready`, `notready`.",
  "ContainerStateValue.state":
    "State of the containers to list. Short forms: `created`, `running`, `exited`, `unknown`.",
  "ContainerFilter.podSandboxId": "Id of the pod whose containers to list, or a unique prefix.",
  "ContainerStatsFilter.podSandboxId": "Id of the pod whose containers to measure, or a unique prefix.",
  "ExecRequest.cmd": "Program and its arguments, without a shell: `command=ls&command=-l`.",
  "ExecRequest.stdin":
    "Whether to send the client's input to the command. Otherwise the command has no input.",
  "ExecRequest.stdout": "Whether to send the command's output to the client. Default: true.",
  "ExecRequest.stderr":
    "Whether to send the command's error output to the client. Default: true. With `tty`, it is part of `stdout`.",
  "ExecRequest.tty":
    "Whether to run the command in a terminal, which can be resized. Error output is then part of `stdout`.",
  "AttachRequest.stdin":
    "Whether to send the client's input to the container. Ignored if the container was created without `stdin`.",
  "AttachRequest.stdout": "Whether to send the container's output to the client. Default: true.",
  "AttachRequest.stderr":
    "Whether to send the container's error output to the client. Default: true. With `tty`, it is part of `stdout`.",
  "AttachRequest.tty": "Whether the container has a terminal. It must match; runtimes do not check it.",
  "PortForwardRequest.port": "TCP ports of the pod, 1 to 65535: `ports=80&ports=443`.",
  "PodSandboxStatusRequest.verbose":
    "Adds the runtime's internal details as `info`. They can contain secrets, such as environment variables.",
  "ContainerStatusRequest.verbose":
    "Adds the runtime's internal details as `info`. They can contain secrets, such as environment variables.",
  "StatusRequest.verbose": "Adds the runtime's internal details as `info`, including its configuration.",
  "ImageStatusRequest.verbose":
    "Adds the runtime's internal details as `info`, including the image's environment variables.",

  ListPodSandboxResponse: "One page of pods.",
  "ListPodSandboxResponse.items": "The pods, newest first.",
  ListContainersResponse: "One page of containers.",
  "ListContainersResponse.containers": "The containers, newest first.",
  ListContainerStatsResponse: "One page of measurements.",
  "ListContainerStatsResponse.stats": "The measurements, by container id.",
  ListPodSandboxStatsResponse: "One page of measurements.",
  "ListPodSandboxStatsResponse.stats": "The measurements, by pod id.",
  ListPodSandboxMetricsResponse: "One page of metrics.",
  "ListPodSandboxMetricsResponse.podMetrics": "The metrics, by pod id.",
  ListImagesResponse: "One page of images.",
  "ListImagesResponse.images": "The images, by id.",
  ImageStatusResponse: "One image.",
  "ImageStatusResponse.image": "The image.",
  ContainerStatsResponse: "The measurements of one container.",
  "ContainerStatsResponse.stats": "What the container uses.",
  CreateContainerResponse: "The created container.",
  "CreateContainerResponse.containerId": "Id of the container, 64 hexadecimal digits.",
  RunPodSandboxResponse: "The created pod.",
  "RunPodSandboxResponse.podSandboxId": "Id of the pod, 64 hexadecimal digits.",
  ListMetricDescriptorsResponse: "The available metrics.",
  "ContainerState.CONTAINER_CREATED": "Created, but its process has not been started.",
  ContainerState: "State of a container. It runs once and never returns to an earlier state.",
};

/** The names in `overrides`, for the test that checks them against CRI's. */
export const overridden: readonly string[] = Object.keys(overrides);

/** Returns the description of a message, `Message.field`, an enum or `Enum.VALUE`; undefined if it has none. */
export type Describe = (name: string) => string | undefined;

/** Describes with our overrides, then CRI's comments, in the names that callers of `routes` see. */
export function createDescribe(routes: readonly Route[]): Describe {
  const operationOf = new Map(
    routes.flatMap((route) => ("rpc" in route ? [[nameOf(route.rpc), route.id] as const] : [])),
  ).set("RemoveImage", "removeImage");
  return (name) => {
    const text = overrides[name] ?? comments[name];
    return text === undefined ? undefined : inOurNames(oneLine(text), operationOf);
  };
}

/** Removes a comment's line breaks, but keeps its paragraphs. */
function oneLine(comment: string): string {
  return comment
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s*\n\s*/g, " ").trim())
    .join("\n\n");
}

/** Field names in CRI's proto file -> their names in JSON. */
const jsonNames = new Map(
  Object.values(descriptors.messages).flatMap(({ fields }) =>
    fields.map(({ proto, name }) => [proto, name] as const),
  ),
);
/** Also a kernel flag, after which the CRI field is named. */
jsonNames.delete("no_new_privs");

const nameOf = (rpc: string): string => rpc.slice(rpc.indexOf("/") + 1);

/** RPCs whose names are also English words or programming terms. */
const ambiguous: ReadonlySet<string> = new Set(["Exec", "Attach", "Version", "Status", "PortForward"]);
const rpcNames = Object.keys(methods)
  .map(nameOf)
  .filter((name) => !ambiguous.has(name));
const rpcPattern = new RegExp(`(?<![\\w/\`])(${rpcNames.join("|")})(?![\\w\`])`, "g");

/** Replaces proto field names with JSON names and RPCs with operations: callers see only these. */
function inOurNames(text: string, operationOf: ReadonlyMap<string, string>): string {
  return text
    .replace(/`([a-z0-9_.]+)`/g, (_, path: string) => {
      const parts = path.split(".").map((part) => jsonNames.get(part) ?? part);
      return `\`${parts.join(".")}\``;
    })
    .replace(/\bin Status\b/g, "in `getRuntimeStatus`")
    .replace(/\bStatus of newer runtimes\b/g, "`getRuntimeStatus` of newer runtimes")
    .replace(rpcPattern, (rpc: string) => `\`${operationOf.get(rpc) ?? rpc}\``);
}
