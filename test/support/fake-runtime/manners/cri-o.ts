import { posix } from "node:path";
import { invalidArgument, notFound, unknown } from "../fault.ts";
import type { Habits, Manner, PullFailure, Refusals } from "../manner.ts";
import type { ContainerConfig, StringMap } from "../messages.ts";
import { imageIdDigits } from "../references.ts";
import { criOTexts } from "../registry-faults.ts";
import { methodOf, type RpcName } from "../rpc-names.ts";
import { execFailure, runtimeStreamsFault, without } from "./rules.ts";

/** CRI-O 1.37.0 with `signature_policy` set and pod events enabled. */
export function criO(): Manner {
  return {
    name: "cri-o",
    family: "cri-o",
    runtimeName: "cri-o",
    runtimeVersion: "1.37.0",
    messageLimitBytes: 80 << 20,
    unimplemented: without({ known: ["CheckpointPod", "RestorePod"], newer: [] }),
    handlers: ["crun", "runc"],
    refuse: refusals(),
    habits: habits(),
  };
}

const podMethods = new Set([
  "PodSandboxStatus",
  "StopPodSandbox",
  "RemovePodSandbox",
  "PodSandboxStats",
  "PortForward",
  "CreateContainer",
  "UpdatePodSandboxResources",
]);
const withoutError = new Set([
  "StopPodSandbox",
  "RemovePodSandbox",
  "StopContainer",
  "RemoveContainer",
  "PortForward",
]);
const asNotFound = new Set(["PodSandboxStatus", "ContainerStatus", "StartContainer", "ExecSync"]);

/** The text of an RPC around the reason when an id is not found. */
function lookupText(method: string, id: string, reason: string): string {
  switch (method) {
    case "PodSandboxStatus":
      return `could not find pod "${id}": ${reason}`;
    case "ContainerStatus":
    case "StartContainer":
    case "ExecSync":
      return `could not find container "${id}": ${reason}`;
    case "ReopenContainerLog":
      return `could not find container ${id}: ${reason}`;
    case "Exec":
      return `unable to prepare exec endpoint: ${reason}`;
    case "Attach":
      return `unable to prepare attach endpoint: ${reason}`;
    case "CreateContainer":
      return `specified sandbox not found: ${id}: ${reason}`;
    default:
      return reason;
  }
}

function lookupFault(rpc: RpcName, id: string, why: string) {
  const method = methodOf(rpc);
  const kind = podMethods.has(method) ? "PodSandbox" : "container";
  const reason =
    id === "" ? `${kind} ID should not be empty` : `${kind} with ID starting with ${id} not found: ${why}`;
  const text = lookupText(method, id, reason);
  return asNotFound.has(method) ? notFound(text) : unknown(text);
}

/** CRI-O's names for the states. */
const stateWords: { readonly [state: string]: string } = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "stopped",
};

function refusals(): Refusals {
  return {
    absent: (rpc, id) =>
      withoutError.has(methodOf(rpc)) ? undefined : lookupFault(rpc, id, "ID does not exist"),
    empty: (rpc) => lookupFault(rpc, "", ""),
    ambiguous: (rpc, prefix) =>
      lookupFault(rpc, prefix, `multiple IDs found with provided prefix: ${prefix}`),

    runPod({ config }) {
      if (config === undefined) return unknown("sandbox config is nil");
      const { metadata } = config;
      if (metadata === undefined) return unknown("sandbox config metadata is nil");
      if (!metadata.namespace) return unknown("cannot generate pod name without namespace");
      if (!metadata.name) return unknown("cannot generate pod name without name");
      if (!metadata.uid) return unknown("cannot generate pod name without uid");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
      if (/[^\x00-\x7f]/.test(metadata.name)) return unknown("container create failed: exit status 1");
      if (config.logDirectory && !posix.isAbsolute(config.logDirectory)) {
        return unknown(`requested logDir for sbox ID is a relative path: ${config.logDirectory}`);
      }
      return badLabels(config.labels);
    },
    startPod: ({ hostname }) =>
      (hostname?.length ?? 0) > 64
        ? unknown("container create failed: sethostname: invalid argument")
        : undefined,
    podNameTaken: () => "the same pod",
    unknownHandler: (handler) =>
      unknown(`failed to find runtime handler ${handler} from runtime list map[crun:0xc000 runc:0xc001]`),
    podStats: () => undefined,
    portForward: () => undefined,

    createContainerShape({ config, sandboxConfig }) {
      if (config === undefined) return unknown("config is nil");
      if (config.image === undefined) return unknown("image spec is nil");
      if (sandboxConfig === undefined) return unknown("sandbox config is nil");
      if (sandboxConfig.metadata === undefined) return unknown("sandbox config metadata is nil");
      if (config.metadata === undefined) return unknown("metadata is nil");
      if (!config.metadata.name) return unknown("name is empty");
      return badLabels(config.labels);
    },
    createContainer({ config }, pod) {
      if (pod.state === "SANDBOX_NOTREADY") {
        return unknown(`CreateContainer failed as the sandbox was stopped: ${pod.id}`);
      }
      for (const image of [config?.image, ...imageMounts(config?.mounts)]) {
        const fault = unverifiable(image?.userSpecifiedImage);
        if (fault !== undefined) return fault;
      }
      const own = config?.linux?.securityContext?.namespaceOptions;
      const pods = pod.config.linux?.securityContext?.namespaceOptions;
      if (pods?.pid === "NODE" && (own?.pid === undefined || own.pid === "POD")) {
        return unknown(
          "pod level PID namespace requested for the container, but pod sandbox was not similarly configured, and does not have an infra container",
        );
      }
      return undefined;
    },
    containerNameTaken: () => "the same container",
    imageMissing: (asked) => unknown(`"${asked}" does not resolve to an image ID`),
    commandMissing: (command) => ({
      at: "create",
      fault: unknown(
        `container create failed: time="2026-11-23T14:07:04Z" level=error msg="runc create failed: unable to start container process: exec: \\"${command}\\": executable file not found in $PATH"`,
      ),
    }),
    startContainer: ({ id, state }) =>
      state === "CONTAINER_CREATED"
        ? undefined
        : unknown(`container ${id} is not in created state: ${stateWords[state]}`),
    updateResourcesShape: () => undefined,
    updateResources: ({ id, state }) =>
      state === "CONTAINER_EXITED"
        ? unknown(`container ${id} is not running or created state: ${stateWords[state]}`)
        : undefined,
    reopenLog: ({ state }) =>
      state === "CONTAINER_EXITED" ? unknown("container is not running") : undefined,
    containerStats: () => undefined,
    checkpoint: () => unknown("checkpoint/restore support not available"),

    exec: () => undefined,
    attach: () => undefined,
    execSync({ state }, { cmd }) {
      if (state === "CONTAINER_EXITED") {
        return notFound("container is not created or running: container is stopped");
      }
      return cmd?.length ? undefined : unknown("exec command cannot be empty");
    },
    streams(rpc, request) {
      const fault = runtimeStreamsFault(request);
      if (fault === undefined) return undefined;
      if (methodOf(rpc) === "Attach") return unknown("unable to prepare attach endpoint");
      return invalidArgument(`unable to prepare exec endpoint: ${fault.details}`);
    },
    execTimeout: () => "exit code -1",
    execCommandMissing: (command) =>
      unknown(
        `command error: time="2026-11-28T14:07:04Z" level=error msg="exec failed: unable to start container process: exec: \\"${command}\\": ${execFailure(command)}", stdout: , stderr: , exit code -1`,
      ),

    imageSpecMissing: (rpc) =>
      methodOf(rpc) === "PullImage" ? unknown('cannot parse input: ""') : unknown("no image specified"),
    badReference: (_rpc, asked) => unknown(`cannot parse input: "${asked}"`),
    imageAbsent: (asked, reference) =>
      reference === undefined || reference.short
        ? unknown(
            `short-name "${asked}" did not resolve to an alias and no unqualified-search registries are defined in "/etc/containers/registries.conf"`,
          )
        : undefined,
    removeImageInUse: (_image, user) => unknown(`image used by ${user.id}: image is in use by a container`),
    pull: (failure, reference) => {
      const { name, repository, host, tag } = reference;
      const ping = `pinging container registry ${host}: Get "https://${host}/v2/"`;
      const texts: { [failure in PullFailure]: string } = {
        ...criOTexts(reference),
        absent: `unable to pull image: reading manifest ${tag ?? ""} in ${repository}: manifest unknown`,
        "no credentials": `initializing source docker://${name}: reading manifest: unauthorized: authentication required`,
        "bad credentials": `initializing source docker://${name}: reading manifest: unauthorized: authentication required`,
        refused: `RegistryUnavailable: ${ping}: dial tcp ${host}: connect: connection refused`,
        "no such host": `${ping}: dial tcp: lookup ${host}: no such host`,
      };
      return unknown(texts[failure]);
    },
    updateRuntimeConfig: () => undefined,
  };
}

/** Signature policies apply to names, and an id has none. */
function unverifiable(name: string | undefined) {
  if (!name) return unknown("user specified image not specified, cannot verify image signature");
  if (imageIdDigits(name) === undefined) return undefined;
  return unknown(
    `unable to get userSpecifiedImageRef from user specified image "${name}": invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`,
  );
}

const imageMounts = (mounts: ContainerConfig["mounts"] = []) =>
  mounts.flatMap(({ image }) => (image === undefined ? [] : [image]));

function badLabels(labels: StringMap | undefined) {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (Buffer.byteLength(key) + Buffer.byteLength(value) > 4096) {
      return unknown(`label key and value greater than maximum size (4096 bytes), key: ${key.slice(0, 64)}`);
    }
  }
  return undefined;
}

function habits(): Habits {
  return {
    listOrder: "oldest first",
    podFilterTakesPrefix: true,
    listImagesFilters: true,
    imageId: (digits) => digits,
    imageName: (name) => name,
    pulledRef: ({ digits }) => digits,
    statusImageRef: (image) => image.repoDigests[0] ?? image.digits,
    listImageRef: (image) => image.repoDigests[0] ?? image.digits,
    tellsImageId: true,
    tellsUser: true,
    imageIds: "bare",
    tellsPinned: true,
    removesImagesByName: true,
    mergesPulls: true,
    zeroTimeNanos: undefined,
    keepsIpOfStoppedPods: true,
    hostNetworkHasIp: true,
    nameConflict: "refused",
    concurrentCreates: "hang",
    keepsFailedPods: false,
    podStatusHasContainers: true,
    podLabels: (config) => ({
      ...config.labels,
      "io.kubernetes.pod.name": config.metadata?.name ?? "",
      "io.kubernetes.pod.namespace": config.metadata?.namespace ?? "",
      "io.kubernetes.pod.uid": config.metadata?.uid ?? "",
      "io.kubernetes.container.name": "POD",
    }),
    containerLabels: (config) => config.labels ?? {},
    logPath: (pod, config, id) =>
      posix.join(pod.config.logDirectory || `/var/log/crio/pods/${pod.id}`, config.logPath || `${id}.log`),
    podStopGrace: "until the deadline",
    stopOutlivesClient: true,
    execDiesWithClient: false,
    backgroundWaitMs: 0,
    execOutput: "cut",
    tellsResources: true,
    events: "serial",
    eventsOfPods: new Set(["STARTED", "STOPPED"]),
    eventsHaveContainers: false,
    deletedPodHasStatus: false,
    restartEndsEvents: true,
    streamUrl: (kind, token, port) => `http://127.0.0.1:${port}/${kind}/${token}`,
  };
}
