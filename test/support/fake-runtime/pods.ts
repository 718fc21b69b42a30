import { announcePod, containerStatus, podItem, podStatus } from "./answers.ts";
import { removeContainerNow } from "./containers.ts";
import { unknown } from "./fault.ts";
import { matchesLabels } from "./filters.ts";
import type {
  ListRequest,
  PodRequest,
  PodSandboxConfig,
  RunPodSandboxRequest,
  UpdatePodSandboxResourcesRequest,
} from "./messages.ts";
import { stopProcess } from "./processes.ts";
import { containersOf, type FakePod, newId, nowNanos } from "./state.ts";
import { podInfo } from "./verbose.ts";
import { type Handler, inListOrder, lookUpPod, refuse, requirePod, type World } from "./world.ts";

export const runPodSandbox: Handler<RunPodSandboxRequest> = async (world, request) => {
  const { refuse: refusals, habits, handlers } = world.manner;
  refuse(refusals.runPod(request));
  const config = request.config ?? {};
  const handler = request.runtimeHandler ?? "";
  if (handler !== "" && !handlers.includes(handler)) throw refusals.unknownHandler(handler);

  const taken = [...world.state.pods.values()].find((pod) => pod.reservedName === podName(world, config));
  if (taken !== undefined) {
    const answer = refusals.podNameTaken(taken);
    if (answer === "the same pod") return { podSandboxId: taken.id };
    throw answer;
  }

  const fault = refusals.startPod(config);
  if (fault !== undefined && !habits.keepsFailedPods) throw fault;
  const pod = addPod(world, { config, runtimeHandler: handler });
  if (fault !== undefined) {
    pod.state = "SANDBOX_NOTREADY";
    pod.ip = "";
    throw fault;
  }
  await announcePod(world, "CREATED", pod);
  await announcePod(world, "STARTED", pod);
  return { podSandboxId: pod.id };
};

/** Puts a running pod into the state. */
export function addPod(
  world: World,
  pod: { config: PodSandboxConfig; runtimeHandler?: string; id?: string; createdAtNanos?: bigint },
): FakePod {
  const { config } = pod;
  const { habits, family } = world.manner;
  const onHost = config.linux?.securityContext?.namespaceOptions?.network === "NODE";
  const { name = "", namespace = "", uid = "" } = config.metadata ?? {};
  const number = world.state.pods.size + 2;
  const added: FakePod = {
    id: pod.id ?? newId(),
    config,
    runtimeHandler: pod.runtimeHandler ?? "",
    reservedName: podName(world, config),
    createdAtNanos: pod.createdAtNanos ?? nowNanos(),
    state: "SANDBOX_READY",
    ip: onHost && !habits.hostNetworkHasIp ? "" : `10.88.${Math.trunc(number / 250) % 250}.${number % 250}`,
    unreadable: family === "cri-dockerd" && `${name}${namespace}${uid}`.includes("_"),
  };
  world.state.pods.set(added.id, added);
  return added;
}

function podName({ manner }: World, { metadata }: PodSandboxConfig): string {
  const { name = "", namespace = "", uid = "", attempt = 0 } = metadata ?? {};
  return manner.family === "containerd"
    ? `${name}_${namespace}_${uid}_${attempt}`
    : `k8s_POD_${name}_${namespace}_${uid}_${attempt}`;
}

export const stopPodSandbox: Handler<PodRequest> = async (world, { podSandboxId }, { rpc, signal }) => {
  const pod = lookUpPod(world, rpc, podSandboxId);
  if (pod !== undefined) await stopPod(world, pod, signal);
  return {};
};

async function stopPod(world: World, pod: FakePod, signal: AbortSignal): Promise<void> {
  const { podStopGraceMs, keepsIpOfStoppedPods } = world.manner.habits;
  await Promise.all(
    containersOf(world.state, pod).map((container) =>
      stopProcess(world, container, { graceMs: podStopGraceMs, signal }),
    ),
  );
  if (signal.aborted || pod.state === "SANDBOX_NOTREADY") return;
  pod.state = "SANDBOX_NOTREADY";
  if (!keepsIpOfStoppedPods) pod.ip = "";
  await announcePod(world, "STOPPED", pod);
}

export const removePodSandbox: Handler<PodRequest> = async (world, { podSandboxId }, { rpc, signal }) => {
  const pod = lookUpPod(world, rpc, podSandboxId);
  if (pod === undefined) return {};
  await stopPod(world, pod, signal);
  for (const container of containersOf(world.state, pod)) await removeContainerNow(world, container);
  world.state.pods.delete(pod.id);
  await announcePod(world, "DELETED", pod);
  return {};
};

export const podSandboxStatus: Handler<PodRequest> = (world, { podSandboxId, verbose }, { rpc }) => {
  const pod = requirePod(world, rpc, podSandboxId);
  if (pod.unreadable) throw unknown(`failed to parse the sandbox name: "${pod.reservedName}"`);
  const withContainers = world.manner.habits.podStatusHasContainers;
  return {
    status: podStatus(world, pod),
    info: verbose ? podInfo(world, pod) : undefined,
    containersStatuses: withContainers
      ? containersOf(world.state, pod).map((container) => containerStatus(world, container))
      : undefined,
    timestamp: withContainers ? nowNanos() : undefined,
  };
};

export const listPodSandbox: Handler<ListRequest> = (world, request) => ({ items: podItems(world, request) });

/** The list's items; the same for the streamed list. */
export function podItems(world: World, { filter }: ListRequest): object[] {
  const { id, state, labelSelector } = filter ?? {};
  const pods = inListOrder(world, [...world.state.pods.values()]).filter(
    (pod) =>
      (id === undefined || pod.id.startsWith(id)) &&
      // The state of the filter is a message: present and empty means the zero, READY.
      (state === undefined || pod.state === (state.state ?? "SANDBOX_READY")) &&
      matchesLabels(world.manner.habits.podLabels(pod.config), labelSelector),
  );
  return pods.map((pod) => podItem(world, pod));
}

export const updatePodSandboxResources: Handler<UpdatePodSandboxResourcesRequest> = (
  world,
  { podSandboxId, resources },
  { rpc },
) => {
  const pod = requirePod(world, rpc, podSandboxId);
  pod.config.linux = { ...pod.config.linux, ...(resources === undefined ? {} : { resources }) };
  return {};
};
