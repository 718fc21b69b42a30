import { status } from "@grpc/grpc-js";
import { DaemonCrash, GrpcFault, invalidArgument, notFound, unknown } from "../fault.ts";
import type { Habits, Manner, PullFailure, Refusals } from "../manner.ts";
import type { StringMap } from "../messages.ts";
import { containerdTexts } from "../registry-faults.ts";
import { methodOf, type RpcName } from "../rpc-names.ts";
import {
  execFailure,
  foreignSysctl,
  joinLogPath,
  runtimeStreamsFault,
  streamLists,
  without,
} from "./rules.ts";

type Version = "1.6" | "1.7" | "2.1";

/** containerd 1.6.20, 1.7.24 and 2.1.9, as packaged by Debian. */
export function containerd(version: Version): Manner {
  return {
    name: `containerd-${version}`,
    family: "containerd",
    runtimeName: "containerd",
    runtimeVersion: { "1.6": "1.6.20~ds1", "1.7": "1.7.24~ds1", "2.1": "2.1.9" }[version],
    messageLimitBytes: 16 << 20,
    unimplemented: unimplemented[version],
    handlers: ["runc"],
    refuse: refusals(version),
    habits: habits(version),
  };
}

const unimplemented: { [version in Version]: Manner["unimplemented"] } = {
  "1.6": without({
    known: ["CheckpointContainer", "GetContainerEvents"],
    newer: [
      ...["CheckpointPod", "RestorePod", "ListMetricDescriptors", "ListPodSandboxMetrics", "RuntimeConfig"],
      ...["UpdatePodSandboxResources", ...streamLists],
    ],
  }),
  "1.7": without({
    known: ["CheckpointContainer", "ListMetricDescriptors", "ListPodSandboxMetrics"],
    newer: ["CheckpointPod", "RestorePod", "RuntimeConfig", "UpdatePodSandboxResources", ...streamLists],
  }),
  "2.1": without({
    known: ["ListMetricDescriptors", "ListPodSandboxMetrics"],
    newer: ["CheckpointPod", "RestorePod", "UpdatePodSandboxResources", ...streamLists],
  }),
};

/** The text that each RPC puts before the reason when an id is not found. */
const lookups: { readonly [method: string]: (id: string) => string } = {
  StopPodSandbox: (id) => `an error occurred when try to find sandbox "${id}"`,
  RemovePodSandbox: (id) => `an error occurred when try to find sandbox "${id}"`,
  PodSandboxStatus: () => "an error occurred when try to find sandbox",
  PodSandboxStats: (id) => `an error occurred when trying to find sandbox ${id}`,
  PortForward: (id) => `failed to find sandbox "${id}" in store`,
  CreateContainer: (id) => `failed to find sandbox id "${id}"`,
  UpdateContainerResources: () => "failed to find container",
  ContainerStats: () => "failed to find container",
  Exec: (id) => `failed to find container "${id}" in store`,
  ExecSync: (id) => `failed to exec in container: failed to find container "${id}" in store`,
  Attach: () => "failed to find container in store",
};

function lookupText(rpc: RpcName, id: string): string {
  const text = lookups[methodOf(rpc)];
  return text === undefined ? `an error occurred when try to find container "${id}"` : text(id);
}

function refusals(version: Version): Refusals {
  // From 1.7 on, stopping a missing object succeeds, as removing one always did.
  const idempotent = new Set(["RemovePodSandbox", "RemoveContainer"]);
  if (version !== "1.6") idempotent.add("StopPodSandbox").add("StopContainer");
  const reserved = (text: string) =>
    version === "2.1" ? new GrpcFault(status.FAILED_PRECONDITION, text) : unknown(text);
  const notRunning = (state: string) =>
    state === "CONTAINER_RUNNING" ? undefined : unknown(`container is in ${state} state`);

  return {
    absent: (rpc, id) =>
      idempotent.has(methodOf(rpc)) ? undefined : notFound(`${lookupText(rpc, id)}: not found`),
    empty: (rpc) => unknown(`${lookupText(rpc, "")}: prefix can't be empty`),
    ambiguous: (rpc, prefix) =>
      unknown(`${lookupText(rpc, prefix)}: multiple IDs found with provided prefix: ${prefix}`),

    runPod({ config }) {
      if (config?.metadata === undefined) return unknown("sandbox config must include metadata");
      return badLabels(config.labels);
    },
    startPod(config) {
      if ((config.hostname?.length ?? 0) > 64) {
        return unknown("failed to start sandbox container task: sethostname: invalid argument: unknown");
      }
      const sysctl = foreignSysctl(config);
      return sysctl === undefined
        ? undefined
        : unknown(
            `failed to create containerd task: sysctl "${sysctl}" is not in a separate kernel namespace`,
          );
    },
    podNameTaken: ({ reservedName, id }) =>
      reserved(
        `failed to reserve sandbox name "${reservedName}": name "${reservedName}" is reserved for "${id}"`,
      ),
    unknownHandler: (handler) =>
      unknown(`failed to get sandbox runtime: no runtime for "${handler}" is configured`),
    podStats(pod) {
      if (pod.state === "SANDBOX_NOTREADY") {
        const text = `failed to decode pod sandbox metrics ${pod.id}: failed to get pod sandbox stats since sandbox container "${pod.id}" is not in ready state`;
        return version === "1.6" ? unknown(text) : new GrpcFault(status.UNAVAILABLE, `${text}: unavailable`);
      }
      if (pod.config.linux?.cgroupParent) return undefined;
      return unknown(`failed getting metrics for sandbox ${pod.id}: cgroupPath is empty`);
    },
    portForward: (pod) =>
      pod.state === "SANDBOX_READY" ? undefined : unknown("sandbox container is not running"),

    createContainerShape: () => undefined,
    createContainer({ config, sandboxConfig }, pod) {
      if (config?.metadata === undefined) return unknown("container config must include metadata");
      if (sandboxConfig?.metadata === undefined) {
        throw new DaemonCrash("CreateContainer without sandbox_config.metadata: nil pointer dereference");
      }
      if (version !== "2.1" && pod.state === "SANDBOX_NOTREADY") {
        return notFound(
          "failed to get sandbox container task: no running task found: task not found: not found",
        );
      }
      return badLabels(config.labels);
    },
    containerNameTaken: ({ reservedName, id }) =>
      reserved(
        `failed to reserve container name "${reservedName}": name "${reservedName}" is reserved for "${id}"`,
      ),
    imageMissing: (asked) => notFound(`failed to resolve image "${asked}": not found`),
    commandMissing: (command) => ({
      at: "start",
      fault: unknown(
        `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "${command}": executable file not found in $PATH: unknown`,
      ),
    }),
    startContainer({ id, state }, pod) {
      if (state !== "CONTAINER_CREATED") {
        return unknown(`failed to set starting state for container "${id}": container is in ${state} state`);
      }
      if (pod?.state !== "SANDBOX_READY")
        return unknown(`sandbox container "${pod?.id ?? ""}" is not running`);
      return undefined;
    },
    updateResourcesShape: () => undefined,
    updateResources: () => undefined,
    reopenLog: ({ state }) =>
      state === "CONTAINER_RUNNING" ? undefined : unknown("container is not running"),
    containerStats: ({ state }) =>
      state === "CONTAINER_RUNNING"
        ? undefined
        : unknown("failed to decode container metrics: unexpected metrics response: []"),
    checkpoint: ({ id }) =>
      unknown(`CRIU binary not found or too old (<31600). Failed to checkpoint container "${id}"`),

    exec: ({ state }) => notRunning(state),
    attach: ({ state }) => notRunning(state),
    execSync({ state }, { cmd }) {
      if (state !== "CONTAINER_RUNNING") {
        return unknown(`failed to exec in container: container is in ${state} state`);
      }
      if (!cmd?.length) return unknown("failed to exec in container: args must not be empty: unknown");
      return undefined;
    },
    streams: (_rpc, request) => runtimeStreamsFault(request),
    execTimeout: (seconds) =>
      new GrpcFault(
        status.DEADLINE_EXCEEDED,
        `failed to exec in container: timeout ${seconds}s exceeded: context deadline exceeded`,
      ),
    execCommandMissing: (command) =>
      unknown(
        `failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: "${command}": ${execFailure(command)}: unknown`,
      ),

    imageSpecMissing: () => undefined,
    badReference: (rpc, asked) =>
      methodOf(rpc) === "PullImage"
        ? unknown(`failed to parse image reference "${asked}": invalid reference format`)
        : undefined,
    imageAbsent: () => undefined,
    removeImageInUse: () => undefined,
    pull: (failure, reference) => {
      const { name, repository, host } = reference;
      const resolve = `failed to pull and unpack image "${name}": failed to resolve reference "${name}"`;
      const path = repository.slice(host.length + 1);
      const head = `Head "https://${host}/v2/${path}/manifests/latest"`;
      const texts: { [failure in PullFailure]: string } = {
        ...containerdTexts(reference, version),
        absent: `${resolve}: ${name}: not found`,
        "no credentials":
          version === "1.6"
            ? `${resolve}: unexpected status from HEAD request to https://${host}/v2/${path}: 401 Unauthorized`
            : `${resolve}: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`,
        "bad credentials": `${resolve}: unexpected status from HEAD request to https://${host}/v2/${path}: 401 Unauthorized`,
        refused: `${resolve}: failed to do request: ${head}: dial tcp ${host}: connect: connection refused`,
        "no such host": `${resolve}: failed to do request: ${head}: dial tcp: lookup ${host}: no such host`,
      };
      if (failure === "wrong digest") return new GrpcFault(status.FAILED_PRECONDITION, texts[failure]);
      const isNotFound = failure === "absent" || failure === "other platform";
      return isNotFound ? notFound(texts[failure]) : unknown(texts[failure]);
    },
    updateRuntimeConfig: () => undefined,
  };
}

function badLabels(labels: StringMap | undefined): GrpcFault | undefined {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (key === "") return unknown("label key required");
    const size = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (size > 4096) {
      return invalidArgument(
        `label key and value length (${size} bytes) greater than maximum size (4096 bytes), key: ${key.slice(0, 64)}: invalid argument`,
      );
    }
  }
  return undefined;
}

function habits(version: Version): Habits {
  const podEvents: ("CREATED" | "STARTED" | "STOPPED" | "DELETED")[] = ["STARTED", "STOPPED", "DELETED"];
  if (version === "2.1") podEvents.push("CREATED");
  return {
    listOrder: "random",
    podFilterTakesPrefix: true,
    listImagesFilters: false,
    imageId: (digits) => `sha256:${digits}`,
    imageName: (name) => name,
    pulledRef: ({ digits }) => `sha256:${digits}`,
    statusImageRef: (image) => image.repoDigests[0] ?? `sha256:${image.digits}`,
    listImageRef: ({ digits }) => `sha256:${digits}`,
    tellsImageId: version === "2.1",
    tellsUser: version === "2.1",
    imageIds: "both",
    tellsPinned: version !== "1.6",
    removesImagesByName: true,
    mergesPulls: false,
    zeroTimeNanos: undefined,
    keepsIpOfStoppedPods: false,
    hostNetworkHasIp: false,
    nameConflict: "refused",
    concurrentCreates: "refused",
    keepsFailedPods: false,
    podStatusHasContainers: false,
    podLabels: (config) => config.labels ?? {},
    containerLabels: (config) => config.labels ?? {},
    logPath: (pod, config) => joinLogPath(pod.config.logDirectory, config.logPath),
    podStopGrace: "none",
    stopOutlivesClient: false,
    execDiesWithClient: true,
    backgroundWaitMs: Number.POSITIVE_INFINITY,
    execOutput: "refused",
    tellsResources: true,
    events: { "1.6": "none", "1.7": "stolen", "2.1": "blocking" }[version] as Habits["events"],
    eventsOfPods: new Set(podEvents),
    eventsHaveContainers: true,
    deletedPodHasStatus: version === "2.1",
    restartEndsEvents: false,
    streamUrl: (kind, token, port) => `http://127.0.0.1:${port}/${kind}/${token}`,
  };
}
