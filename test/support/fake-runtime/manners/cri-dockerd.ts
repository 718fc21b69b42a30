import { posix } from "node:path";
import { status } from "@grpc/grpc-js";
import { DaemonCrash, GrpcFault, notFound, unknown } from "../fault.ts";
import type { Habits, Manner, PullFailure, Refusals } from "../manner.ts";
import type { StringMap } from "../messages.ts";
import { dockerdTexts } from "../registry-faults.ts";
import { methodOf, type RpcName } from "../rpc-names.ts";
import {
  execFailure,
  foreignSysctl,
  goZeroTimeNanos,
  runtimeStreamsFault,
  streamLists,
  without,
} from "./rules.ts";

/** cri-dockerd from April 2026 with dockerd 28.5.2. */
export function criDockerd(): Manner {
  return {
    name: "cri-dockerd",
    family: "cri-dockerd",
    runtimeName: "docker",
    runtimeVersion: "28.5.2",
    messageLimitBytes: 16 << 20,
    unimplemented: without({
      known: [
        ...["PodSandboxStats", "ListPodSandboxStats", "CheckpointContainer", "GetContainerEvents"],
        ...["ListMetricDescriptors", "ListPodSandboxMetrics", "UpdatePodSandboxResources"],
      ],
      newer: ["CheckpointPod", "RestorePod", ...streamLists],
    }),
    handlers: ["docker", "runc", "io.containerd.runc.v2"],
    refuse: refusals(),
    habits: habits(),
  };
}

function crash(why: string): never {
  throw new DaemonCrash(`${why}: nil pointer dereference`);
}

function missing(rpc: RpcName, id: string): GrpcFault {
  const text = `Error response from daemon: No such container: ${id}`;
  switch (methodOf(rpc)) {
    case "StopContainer":
      return notFound(text);
    case "StartContainer":
    case "RemoveContainer":
      return unknown(`failed to get container "${id}": ${text}`);
    case "ContainerStats":
      return unknown(`container with id ${id} not found`);
    default:
      return unknown(text);
  }
}

const noReopen = "docker does not support reopening container log files";

function refusals(): Refusals {
  const notRunning = (container: { id: string; state: string }) =>
    container.state === "CONTAINER_RUNNING" ? undefined : unknown(`container not running (${container.id})`);

  return {
    absent(rpc, id) {
      const method = methodOf(rpc);
      if (method === "StopPodSandbox" || method === "RemovePodSandbox") return undefined;
      return method === "ReopenContainerLog" ? unknown(noReopen) : missing(rpc, id);
    },
    // An empty id gives a different path of Docker's API, which returns something else or nothing.
    empty: (rpc) =>
      /^(Start|Stop|Remove|Update)/.test(methodOf(rpc))
        ? unknown("Error response from daemon: page not found")
        : unknown(""),
    ambiguous: (_rpc, prefix) =>
      unknown(`Error response from daemon: Multiple IDs found with provided prefix: ${prefix}`),

    runPod({ config }) {
      if (config === undefined) return crash("RunPodSandbox without config");
      if (config.metadata === undefined) return crash("RunPodSandbox without config.metadata");
      const { name = "" } = config.metadata;
      if (!/^[a-zA-Z0-9_.-]*$/.test(name)) {
        return unknown(
          `failed to create a sandbox for pod "${name}": Error response from daemon: Invalid container name (k8s_POD_${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
        );
      }
      return undefined;
    },
    startPod(config) {
      const failed = `failed to start sandbox container for pod "${config.metadata?.name ?? ""}": Error response from daemon`;
      if ((config.hostname?.length ?? 0) > 64)
        return unknown(`${failed}: sethostname: invalid argument: unknown`);
      const sysctl = foreignSysctl(config);
      return sysctl === undefined
        ? undefined
        : unknown(`${failed}: sysctl "${sysctl}" is not in a separate kernel namespace: unknown`);
    },
    podNameTaken: ({ reservedName, id, config }) =>
      unknown(
        `failed to create a sandbox for pod "${config.metadata?.name ?? ""}": ${conflict(reservedName, id)}`,
      ),
    unknownHandler: (handler) =>
      unknown(`failed to get sandbox runtime: no runtime for "${handler}" is configured`),
    podStats: () => undefined,
    portForward: (pod) =>
      pod.state === "SANDBOX_READY" ? undefined : unknown(`container not running (${pod.id})`),

    createContainerShape({ config, sandboxConfig }) {
      if (config === undefined) return unknown("container config is nil");
      if (sandboxConfig === undefined) {
        return unknown(`sandbox config is nil for container "${config.metadata?.name ?? ""}"`);
      }
      if (config.metadata === undefined) return crash("CreateContainer without config.metadata");
      if (sandboxConfig.metadata === undefined)
        return crash("CreateContainer without sandbox_config.metadata");
      return undefined;
    },
    createContainer: () => undefined,
    containerNameTaken: ({ reservedName, id }) => unknown(conflict(reservedName, id)),
    imageMissing: (asked) => unknown(`Error response from daemon: No such image: ${asked}`),
    commandMissing: (command, id) => ({
      at: "start",
      fault: unknown(
        `failed to start container "${id}": Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "${command}": executable file not found in $PATH: unknown`,
      ),
    }),
    // Restarts an exited container. Ignores a running one.
    startContainer: ({ id }, pod) =>
      pod?.state === "SANDBOX_READY"
        ? undefined
        : unknown(
            `failed to start container "${id}": Error response from daemon: cannot join network namespace of a non running container: ${pod?.id ?? ""}`,
          ),
    updateResourcesShape: ({ linux }) =>
      linux === undefined ? crash("UpdateContainerResources without linux") : undefined,
    updateResources: () => undefined,
    reopenLog: () => unknown(noReopen),
    containerStats: () => undefined,
    checkpoint: () => undefined,

    exec: notRunning,
    attach: notRunning,
    execSync: (container, { cmd }) =>
      notRunning(container) ??
      (cmd?.length ? undefined : unknown("Error response from daemon: No exec command specified")),
    streams: (_rpc, request) => runtimeStreamsFault(request),
    execTimeout: () => new GrpcFault(status.DEADLINE_EXCEEDED, "context deadline exceeded"),
    execCommandMissing: (command) => ({
      stdout: `OCI runtime exec failed: exec failed: unable to start container process: exec: "${command}": ${execFailure(command)}: unknown\r\n`,
      exitCode: 127,
    }),

    imageSpecMissing: (rpc) => crash(`${methodOf(rpc)} without image`),
    badReference: () => unknown("Error response from daemon: invalid reference format"),
    imageAbsent: () => undefined,
    removeImageInUse: (image, user) =>
      unknown(
        `Error response from daemon: conflict: unable to delete ${image.digits.slice(0, 12)} (cannot be forced) - image is being used by running container ${user.id.slice(0, 12)}`,
      ),
    pull: (failure, reference) => {
      const { name, repository, host, tag } = reference;
      const path = repository.slice(host.length + 1);
      const head = `Head "https://${host}/v2/${path}/manifests/${tag ?? ""}"`;
      const texts: { [failure in PullFailure]: string } = {
        ...dockerdTexts(reference),
        absent: `manifest for ${name} not found: manifest unknown: manifest unknown`,
        "no credentials": `${head}: no basic auth credentials`,
        "bad credentials": `${head}: unauthorized: authentication required`,
        refused: `Get "https://${host}/v2/": dial tcp ${host}: connect: connection refused`,
        "no such host": `Get "https://${host}/v2/": dial tcp: lookup ${host}: no such host`,
      };
      return unknown(`Error response from daemon: ${texts[failure]}`);
    },
    updateRuntimeConfig: ({ runtimeConfig }) =>
      runtimeConfig !== undefined && runtimeConfig.networkConfig === undefined
        ? crash("UpdateRuntimeConfig without network_config")
        : undefined,
  };
}

function conflict(name: string, id: string): string {
  return `Error response from daemon: Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`;
}

function habits(): Habits {
  return {
    listOrder: "newest first",
    podFilterTakesPrefix: false,
    listImagesFilters: true,
    imageId: (digits) => `sha256:${digits}`,
    imageName: familiarName,
    pulledRef: (image) => familiarName(image.repoDigests[0] ?? `sha256:${image.digits}`),
    statusImageRef: (image) =>
      image.repoDigests[0] === undefined
        ? `docker://sha256:${image.digits}`
        : `docker-pullable://${familiarName(image.repoDigests[0])}`,
    listImageRef: ({ digits }) => `sha256:${digits}`,
    tellsImageId: false,
    tellsUser: false,
    imageIds: "whole with prefix",
    tellsPinned: false,
    removesImagesByName: false,
    mergesPulls: false,
    zeroTimeNanos: goZeroTimeNanos,
    keepsIpOfStoppedPods: false,
    hostNetworkHasIp: false,
    nameConflict: "removes",
    concurrentCreates: "doubled",
    keepsFailedPods: true,
    podStatusHasContainers: false,
    podLabels: (config) => withoutReserved(config.labels),
    containerLabels: (config) => withoutReserved(config.labels),
    logPath(pod, config) {
      const { logDirectory } = pod.config;
      return logDirectory ? posix.join(logDirectory, config.logPath ?? "") : (config.logPath ?? "");
    },
    podStopGrace: "none",
    stopOutlivesClient: false,
    execDiesWithClient: false,
    backgroundWaitMs: 2200,
    execOutput: "short write",
    tellsResources: false,
    events: "none",
    eventsOfPods: new Set(),
    eventsHaveContainers: false,
    deletedPodHasStatus: false,
    restartEndsEvents: false,
    streamUrl: (kind, token, port) => `//[::]:${port}/cri/${kind}/${token}`,
  };
}

/** `docker.io/library/busybox:1.36` -> `busybox:1.36`. */
function familiarName(name: string): string {
  return name.replace(/^docker\.io\/(library\/)?/, "");
}

function withoutReserved(labels: StringMap | undefined): StringMap {
  return Object.fromEntries(
    Object.entries(labels ?? {}).filter(
      ([key]) => !key.startsWith("annotation.") && key !== "io.kubernetes.container.name",
    ),
  );
}
