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
  "A runtime's reply has at most 16 MiB (80 MiB on CRI-O): a list that is larger is read in parts, and is 502 `reply_too_large` where that is not possible. What cannot be read alone is missing in the list, and is named in `failures`.";

const watchedUsage =
  "Rates are computed between two readings, so they are null in the first one, and after a restart. JSON is one answer, with the rates of two readings `interval` apart. Ask for `Accept: application/x-ndjson`, `text/event-stream` or `text/plain`, or open a WebSocket at the same path, to get every reading as it comes. One collector reads for all who watch, as often as the most eager of them asks, and nothing is read while nobody watches. A reader that is slow misses readings. While the runtime does not answer nothing comes; after a minute the last item is the problem. Each watcher takes one of the places that `--max-sessions` limits.\n\nWhere the gateway runs on the node, traffic of disks and networks, throttling and limits come from the kernel; elsewhere what CRI does not tell is null.";

/** What each operation does. */
export const operations: { readonly [Id in RouteId]: string } = {
  getVersion:
    "Answers with the runtime's name and version. This needs neither the network nor images, so it is a quick check that the runtime is there. The header `Crest-Version` has the version of the gateway.",
  getRuntimeStatus:
    "Says whether the runtime and its network are ready, and which handlers and features the runtime has. The answer is 200 also when the runtime is not ready: read `status.conditions`.",
  getRuntimeConfig:
    "Answers with settings of the runtime that its callers must agree with, above all the cgroup driver. containerd 1.x does not have it (501).",
  getCapabilities:
    "Says which RPCs of CRI the runtime has, and where it behaves in a way of its own. Crest asks the runtime with reads only, and remembers the answers until it restarts. Of other RPCs the answers that came and the runtime's version tell; `support` is `unknown` where they do not.",
  getGrants: "Lists what the caller may do. Needs the token and no grant.",
  setNetworkConfig:
    "Tells the runtime which addresses the pods of this node get. containerd uses it only if its configuration has a CNI template. In all other cases runtimes accept it and nothing visible happens.",
  listMetricDescriptors:
    "Lists the metrics that `listPodMetrics` can answer with, and their label keys. CRI-O has it, and containerd from 2.2 on; others do not (501).",
  listPodMetrics:
    "Lists the metrics of all pods and their containers, for a Prometheus exporter. CRI-O has it, and containerd from 2.2 on; others do not (501).",
  getImageFilesystems:
    "Says how much space and how many inodes images take, for each file system that holds some. CRI-O and cri-dockerd say the same of containers.",

  listPods: `Lists pods, the stopped ones included. ${wholeList}`,
  runPod:
    "Creates a pod and starts it: its namespaces, network and cgroup. It has no container yet. `metadata.name` is required. Crest fills in what is missing: `metadata.uid`, `metadata.namespace` (`default`), a log directory below the gateway's data folder, a cgroup parent of its own. It also adds the label `crest/managed=true`.\n\nIf there is a pod with the same name, namespace, uid and attempt, this is 409 `name_reserved`, on every runtime. If another pod has one of its host ports, this is 409 `port_in_use`.",
  getPod:
    "Shows one pod: its state, addresses and labels. A stopped pod can be shown until it is removed. A pod that does not exist is 404.",
  removePod:
    "Removes a pod with all its containers, also running ones. A pod that does not exist is 404, unless another caller removed it while this request was under way. Log files stay on the node, except on cri-dockerd.",
  prunePods:
    "Lists the pods that have stopped, and with `dryRun=false` removes them with their containers. A pod in which a container runs, or may run, is not one of them, and neither is a pod that Crest did not create, such as a kubelet's, without `unmanaged`. If one pod cannot be removed, the others are; `failures` names it. The logs of the containers stay for `--log-keep`.",
  stopPod:
    "Stops a pod: kills what runs in it and gives its addresses back. A stopped pod stays, and stopping it again is 204 as well. A pod that does not exist is 404. Without `timeout`, containerd and cri-dockerd give containers no time to end. With `timeout` Crest stops the containers first, all at the same time; on CRI-O it always does, because CRI-O would give them two minutes.",
  updatePodResources:
    "Tells the runtime that the resources of a pod as a whole have changed. It does not change the limits of its containers. CRI-O has it, and containerd from 2.3 on; others do not (501).",
  getPodStats:
    "Measures one pod and its containers. A pod that was stopped is 409 `pod_not_ready`. containerd measures a pod by its cgroup parent: pods that name the same one have their numbers together, and a pod that was created without one, by another client than Crest, cannot be measured. cri-dockerd does not have it (501).",
  listPodStats:
    "Measures all pods. cri-dockerd does not have it (501). A pod that cannot be measured is missing in the list, and is named in `failures`: on containerd one that another client created without `linux.cgroupParent`.",
  checkpointPod:
    "Writes a checkpoint of a pod into a folder of the node. The pod stands still while this is done, then goes on. New in CRI: no runtime that was tested has it (501).",
  restorePod:
    "Creates a pod with its containers from what `checkpointPod` wrote. The containers come back created, and go on when they are started. New in CRI: no runtime that was tested has it (501).",
  forwardPorts:
    "Connects to ports of a pod over a WebSocket, in Kubernetes' protocol. Channel 2i carries the data of the port at place i of the query, channel 2i+1 its errors; the first message on each is the port, as two bytes in little-endian order. With `raw=true` and one port, messages are the bytes of the connection and nothing else. Only the ports of the query are connected to. A pod that was stopped is 409 `pod_not_ready`.",

  listContainers: `Lists containers, the exited ones included. ${wholeList}`,
  createContainer:
    "Creates a container in a pod, without starting it. `metadata.name` and `image` are required. Crest recalls the pod's configuration from the runtime, so it need not be sent; `sandboxConfig` replaces it. Crest fills in `logPath` when it is missing.\n\nThe image must be on the node: otherwise this is 404 `image_not_found`, and `detail` has the command that pulls it. If the pod has a container with the same name and attempt, this is 409 `name_reserved`, on every runtime.",
  getContainer:
    "Shows one container: its state, times, exit code, mounts and the path of its log. A container that does not exist is 404. For a moment after the command of a session has ended the state may be an old one.",
  removeContainer:
    "Removes a container, and kills it first if it runs. A container that does not exist is 404, unless another caller removed it while this request was under way. Its log stays on the node for `--log-keep`, except on cri-dockerd.",
  startContainer:
    "Starts a container that was created, and answers when its process runs. A container runs once, on every runtime: one that runs is 409 `already_running`, one that has ended is 409 `already_exited`. A program that does not exist is 400 `command_not_found`.",
  stopContainer:
    "Sends the container its stop signal, and SIGKILL if it still runs after `timeout` seconds. The answer comes when it has ended. Stopping it again is 204 as well; a container that does not exist is 404. If the client leaves during the timeout, the container keeps running on containerd and cri-dockerd, and is stopped all the same on CRI-O.",
  updateContainerResources:
    "Changes the resource limits of a container without a restart. `linux` is required; what it leaves out stays as it is. The container must be created or running, otherwise this is 409 `not_running`.",
  getContainerStats: "Measures one container. One that does not run is 409 `not_running`.",
  listContainerStats:
    "Measures all containers. Those that have ended are in the list on containerd and cri-dockerd, and not on CRI-O.",
  checkpointContainer:
    "Writes a checkpoint of a running container into a file of the node; the container goes on. It needs CRIU on the node. cri-dockerd and containerd 1.x do not have it (501).",
  execSync:
    'Runs a command in a running container, waits for its end, and answers with its output and exit code. No shell interprets `cmd`: for pipes and variables use `["sh", "-c", "..."]`. For interactive commands there is a WebSocket at the same path, [execContainer](/docs#execContainer).\n\nA command that takes longer than `timeout` seconds is 504 `exec_timeout`. The output may have about 16 MiB; more is 422 `output_too_large`. 4 MiB are expected of each command that runs, within the half of `--max-buffer` that one caller may have: by default 32 run at once. More wait up to 5 s for their turn, and are then 503 `overloaded` before they run. When the client leaves, the command keeps running on CRI-O and cri-dockerd.',
  execContainer:
    'Runs a command in a running container over a WebSocket, in Kubernetes\' protocol. `command` is required, once for each word. stdout and stderr are sent unless they are set to false; with `tty` all output is stdout. What can be checked is checked before the session begins, and is an ordinary problem.\n\nEvery message is a channel byte and its payload: 0 stdin, 1 stdout, 2 stderr, 3 the status as JSON, 4 terminal sizes (`{"Width":80,"Height":24}`), 255 half-close (v5). The first message is empty and says that the session has begun. Browsers send the token as the subprotocol `base64url.bearer.authorization.k8s.io.TOKEN` beside a real one.\n\nOn containerd before 2.0, CRI-O and cri-dockerd a command goes on when its client leaves. containerd ends stdin when the command closes its stdout. It never sends the status of a command that left more than about 128 KiB of its stdin unread: after `--status-grace` the status says `exit unknown`.',
  attachContainer:
    "Connects to the input and output of a container's main process over a WebSocket; messages are those of [execContainer](/docs#execContainer). The output begins now: what came before is in the log. stdout and stderr are sent unless they are set to false; with `tty` all output is stdout.\n\nIf the container was created with `stdinOnce`, the first client that leaves ends its stdin. Otherwise stdin stays open whatever clients do; on containerd a half-close then also ends the output of the session. containerd answers a little before it begins to pass output on, so that a line that is written in that moment can be missing. A client that reads too slowly is disconnected (4408), because it would hold up the container.",
  reopenContainerLog:
    "Makes the runtime open the container's log file again, as the last step of a log rotation. Until then the renamed file keeps growing. The container must be running (409 `not_running`). cri-dockerd does not have it (501).",
  getContainerLogs:
    "Reads the log of a container, through all files into which it was rotated. Without `Accept` the answer is its text and nothing else. `Accept: application/x-ndjson` and `text/event-stream` answer an item for each line, a WebSocket at the same path a message for each, and `application/json` a page with `cursor`, of at most 10,000 lines or 8 MiB.\n\nEach item has a `cursor`: with it, or with `Last-Event-ID`, reading goes on exactly behind that line, also after a rotation or a restart of the gateway. If the file is gone, that is 410 `cursor_gone`, with the nearest cursor that exists.\n\nWith `follow` lines come as they are written, until the container has ended. `grep`, `regex` and `level` choose lines on the node; together with `tailLines` they give the last lines that match. A line is joined from the parts in which runtimes store it, up to 1 MiB. `previous` reads the attempt before this one. A removed container of a pod that Crest created is found here as long as its log is kept (`--log-keep`); following it ends with its last line. Each follower takes one of the places that `--max-sessions` limits.",
  getPodLogs:
    "Reads the logs of all containers of a pod, merged by time: items name their `container`, lines of text do with `prefix`. With `follow`, containers join as they are created, lines are held back for up to 250 ms to order them, and the end comes when the pod has stopped. Removed containers are included as long as their logs are kept, also after the pod was removed. Forms and parameters are those of a container's log.",
  listLogs:
    "Reads the logs of all containers that match, merged by time: items name their `namespace`, `pod` and `container`, lines of text do with `prefix`. With `follow`, containers join and leave as they come and go. Removed containers of pods that Crest created are included as long as their logs are kept (`--log-keep`); their items have `removed`. At most 500 logs are read at once: more containers are 400, and of more removed ones the latest are read. Forms and parameters are those of a container's log.",
  waitContainer:
    'Answers when the container has ended, with its exit code. When `timeout` seconds have passed first, the answer says `exited: false`: ask again.\n\nTo follow the state, ask for `Accept: application/x-ndjson`, `text/event-stream` or `text/plain`, or open a WebSocket at the same path: the state comes at once, and again whenever it has changed, until the container has ended or the time has passed. If that fails in the middle, the last item is the problem: a line `{"error": ...}`, or an event of type `error`. Each follower takes one of the places that `--max-sessions` limits.',
  watchContainerStats: `Measures all running containers, again and again. Each item has all of them, so that one that has ended is missing in the next. ${watchedUsage}`,
  watchOneContainerStats: `Measures a container again and again, until it has ended. One that does not run is 409 \`not_running\`. ${watchedUsage}`,
  watchPodStats: `Measures all ready pods, again and again. Each item has all of them, so that one that was stopped is missing in the next. ${watchedUsage}`,
  watchOnePodStats: `Measures a pod again and again, until it is stopped. One that is not ready is 409 \`pod_not_ready\`. ${watchedUsage}`,

  listEvents:
    "Lists what is on the node and, with `watch=true`, what happens to its pods, containers and images from then on, on every runtime in one model.\n\nFirst comes a snapshot: each pod and container with its last step, marked `snapshot`. Then a `bookmark`, and the events. With `since` the events after an id or a time come instead of the snapshot; the last 10,000 are kept, for at most 10 minutes, as long as somebody reads events and for a minute after. If events may be missing, because an id is too old or the gateway or the runtime was restarted, a `resync` comes and then a new snapshot. A reader that falls 1,000 events behind gets a `gap`, and the stream ends. Server-sent events have the `id`, so that a browser continues where it was.\n\nAn exit is told at once, with its code. If the runtime gives another reason later, the event comes again and `amends` the first. Images are compared by list, so that a pull is one event.\n\nOn containerd the events are its own. CRI-O's events lack pods that are removed, memory, commands and images; lists add what they can every two seconds. On cri-dockerd there are only lists, one each second: `events` in [getCapabilities](/docs#getCapabilities) says which it is. Each reader takes one of the places that `--max-sessions` limits.",

  listImages:
    "Lists the images on the node. `image` keeps those that have this name or id, on every runtime.",
  getImage:
    "Shows one image of the node, by name, digest or id. Registries are not asked. An image that is not on the node is 404, and `detail` has the command that pulls it.",
  removeImage:
    "Removes an image with all its names, whichever was given; the answer lists them. An image that a container was made from is 409 `image_in_use`. An image that is not on the node is 404.",
  pruneImages:
    "Lists the images that nothing uses, and with `dryRun=false` removes them with all their names. An image is in use if a container of any state was made from it or mounts it. The image that pods start from and pinned images are never removed. If one image cannot be removed, the others are; `failures` names it. CRI does not say when an image was pulled or last used, so that one that was just pulled for a new container is not in use yet.",
  pullImage:
    'Pulls an image from its registry, and answers when it is on the node and ready for use. `image` is required. `auth` is never logged.\n\nRequests for the same reference with the same credentials share one pull. It is cancelled when the last of them has left, unless one said `detach=true`. [listPulls](/docs#listPulls) lists the pulls, and [cancelPull](/docs#cancelPull) cancels one for all who wait: 409 `pull_cancelled`.\n\nTo follow the progress, ask for `Accept: application/x-ndjson` or `text/event-stream`. Items `{"progress": ...}` come at most four times a second; the last item is `{"result": ...}`, or the problem: a line `{"error": ...}`, or an event of type `error`. On containerd, the progress has each layer with its downloaded and unpacked bytes. CRI-O and cri-dockerd report none: the phase is `pulling`, with the elapsed time. Each follower takes one of the places that `--max-sessions` limits.',
  listPulls:
    "Lists the pulls in progress, and up to 100 that ended within the last 10 minutes, the newest first: those of images that the caller may pull. They are the pulls of this gateway; what others pull on the node is not among them.",
  getPull:
    "Shows one pull: its phase, its layers and, if it failed, why. One that ended more than 10 minutes ago is 404, and so is one of an image that the caller may not pull.",
  cancelPull:
    "Cancels a pull for all who wait for it, and answers when it has ended. One that has ended already stays as it was. CRI-O keeps the layers that are complete.",
};

/** `Message` or `Message.field` -> the description that replaces CRI's comment. */
const overrides: { readonly [name: string]: string } = {
  AuthConfig:
    "Credentials for a registry, for this pull only. Give one of three kinds: user name and password (or both in `auth`), an identity token, or a registry token. A user name without a password, beside another kind, is left out.",
  "AuthConfig.serverAddress":
    "Registry that the credentials are meant for, as a URL or a host. Empty does not bind them to one. containerd drops the credentials when the host is not the one that it pulls from.",
  "AuthConfig.registryToken":
    "Bearer token that is presented to the registry as it is. containerd has no use for one: 501.",
  PullImageRequest: "The image to pull, and the credentials for it.",
  ExecSyncRequest: "The command to run.",
  CheckpointContainerRequest:
    "Where to write the checkpoint. It will hold the container's memory, secrets included.",
  UpdateContainerResourcesRequest: "The limits to change. What is left out stays as it is.",
  UpdatePodSandboxResourcesRequest: "The resources of the pod as a whole.",
  CheckpointPodRequest: "Where to write the checkpoint, and of which containers.",
  RestorePodRequest: "The checkpoint, and the configurations of the new pod and its containers.",
  PodSandboxConfig: "The configuration of a pod.",
  ContainerConfig: "The configuration of a container. Apart from resources it cannot be changed later.",
  "PodSandboxConfig.metadata": "Name, uid, namespace and attempt of the pod. `name` is required.",
  "PodSandboxConfig.hostname":
    "Host name that the pod's processes see, at most 64 bytes. A pod with the node's network has the node's: leave it empty there.",
  "PodSandboxConfig.logDirectory":
    "Absolute path on the node of the folder for the containers' log files; their `logPath` is relative to it. Crest makes the folder, and fills in one below its data folder when none is given.",
  "PortMapping.hostPort":
    "Port opened on the node, 1 to 65535. With 0 nothing is published. It can be used once on the node for each protocol and address, until its pod is stopped. containerd does not refuse a port on which a process of the node listens: the pod gets its connections.",
  "PortMapping.hostIp":
    "IP address of the node to listen on, such as `192.0.2.1` or `2001:db8::1`; empty means all of its addresses.",
  Capability:
    "Changes to the runtime's default set of Linux capabilities. `NET_ADMIN`, `CAP_NET_ADMIN` and `net_admin` are the same to Crest; `ALL` stands for every one. A name that Linux does not have is refused.",
  "LinuxContainerResources.cpuPeriod":
    "Length of one CPU accounting period, in microseconds, from 1000 to 1000000. When absent or 0 the kernel's own applies: 100000 (100 ms).",
  "LinuxContainerResources.cpuQuota":
    "CPU time that the container may use in each `cpuPeriod`, in microseconds over all CPUs, at least 1000: 50000 of 100000 is half a CPU, 200000 is two. When absent or 0 there is no limit; a negative value lifts one.",
  "PodSandboxMetadata.uid":
    "Unique id of the pod, as in Kubernetes' metadata.uid. Crest fills in a random UUID when it is empty.",
  "PodSandboxMetadata.namespace":
    "Namespace of the pod in Kubernetes' sense, not a Linux one. Crest fills in `default` when it is empty.",
  "LinuxPodSandboxConfig.cgroupParent":
    "Cgroup under which those of the pod are made: a path such as `/kubepods/pod1` with the cgroupfs driver, a slice such as `pods.slice` with systemd. Crest fills in one for each pod when it is empty, since containerd measures a pod by it.",
  "CreateContainerRequest.sandboxConfig":
    "The configuration that the pod was run with. Crest recalls it from the runtime, so it is seldom needed.",
  "ContainerConfig.metadata": "Name and attempt of the container within its pod. `name` is required.",
  "ContainerConfig.image":
    "Image to create the container from; it must be on the node. A full reference, a reference with a digest, or the image's id. How a short name such as `busybox` is read differs between runtimes. Required.",
  "ContainerConfig.logPath":
    "Log file, relative to the pod's `logDirectory` and below it: `..` is refused. Crest fills in `NAME/ATTEMPT.log` when it is empty.",
  "ContainerConfig.command":
    "Program to run, in place of the image's `ENTRYPOINT`, without a shell; when it is set the image's `CMD` is dropped too. A program that does not exist is 400 `command_not_found`, when the container is started at the latest.",
  "ContainerMetadata.name":
    "Name of the container. Together with `attempt` it must be unique within the pod, otherwise the container is refused with 409 `name_reserved`.",
  "ExecSyncRequest.cmd":
    "Program and its arguments; no shell interprets them. Required. A program that does not exist is 400 `command_not_found`.",
  "ExecSyncRequest.timeout":
    "Seconds that the command may take; 0 (the default) is no limit. A command that takes longer is killed, except on cri-dockerd, where it goes on, and the answer is 504 `exec_timeout`.",
  "UpdateContainerResourcesRequest.linux": "New values for a Linux container. Required.",
  "RestorePodRequest.config":
    "Configuration of the new pod, in full, with what differs from the saved one, such as its uid and log directory. Required.",
  "StopContainerRequest.timeout": "Seconds between the stop signal and SIGKILL. 0 kills at once.",
  "PodSandboxFilter.id": "Id of the one pod to list. Most runtimes also take a prefix that is unique.",
  "PodSandboxStatsFilter.id": "Id of the one pod to measure.",
  "PodSandboxStateValue.state": "State that a pod must be in to be listed: `ready` or `notready` for short.",
  "ContainerStateValue.state":
    "State that a container must be in to be listed: `created`, `running`, `exited` or `unknown` for short.",
  "ContainerFilter.podSandboxId":
    "Id of the pod whose containers are listed, or a prefix of it that is unique.",
  "ContainerStatsFilter.podSandboxId":
    "Id of the pod whose containers are measured, or a prefix of it that is unique.",
  "ExecRequest.cmd": "Program and its arguments, `command=ls&command=-l`; no shell interprets them.",
  "ExecRequest.stdin": "Sends input from the client to the command. Without it the command has no input.",
  "ExecRequest.stdout": "Sends the command's output to the client, unless it is false.",
  "ExecRequest.stderr":
    "Sends the command's error output to the client, unless it is false. With `tty` it comes with `stdout`.",
  "ExecRequest.tty":
    "Gives the command a terminal, which can be resized. Its error output then comes with `stdout`.",
  "AttachRequest.stdin":
    "Sends input from the client to the container. Ignored if the container was created without `stdin`.",
  "AttachRequest.stdout": "Sends the container's output to the client, unless it is false.",
  "AttachRequest.stderr":
    "Sends the container's error output to the client, unless it is false. With `tty` it comes with `stdout`.",
  "AttachRequest.tty": "Must say whether the container has a terminal; runtimes do not check it.",
  "PortForwardRequest.port": "TCP ports of the pod, 1 to 65535: `ports=80&ports=443`.",
  "PodSandboxStatusRequest.verbose":
    "Adds the runtime's internal details as `info`. They can hold secrets, such as environment variables.",
  "ContainerStatusRequest.verbose":
    "Adds the runtime's internal details as `info`. They can hold secrets, such as environment variables.",
  "StatusRequest.verbose": "Adds the runtime's internal details as `info`, its configuration among them.",
  "ImageStatusRequest.verbose":
    "Adds the runtime's internal details as `info`, with the image's environment variables.",

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
  CreateContainerResponse: "The container that was created.",
  "CreateContainerResponse.containerId": "Id of the container, 64 hexadecimal digits.",
  RunPodSandboxResponse: "The pod that was created.",
  "RunPodSandboxResponse.podSandboxId": "Id of the pod, 64 hexadecimal digits.",
  ListMetricDescriptorsResponse: "The metrics that there are.",
  "ContainerState.CONTAINER_CREATED": "Made, but its process has not been started.",
  ContainerState: "Where a container stands in its life. It runs once: none of the states comes back.",
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
