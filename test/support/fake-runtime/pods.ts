import { announcePod, containerStatus, podItem, podStatus } from "./answers.ts";
import { removeContainerNow } from "./containers.ts";
import { GrpcFault, unknown } from "./fault.ts";
import { matchesLabels, selectedById } from "./filters.ts";
import { hostPortFault } from "./host-ports.ts";
import { whileMaking } from "./making.ts";
import { goZeroTimeNanos } from "./manners/rules.ts";
import type {
  ListRequest,
  PodRequest,
  PodSandboxConfig,
  RunPodSandboxRequest,
  UpdatePodSandboxResourcesRequest,
} from "./messages.ts";
import { podMistake } from "./mistakes.ts";
import { stopProcess } from "./processes.ts";
import { containersOf, type FakePod, newId, nowNanos } from "./state.ts";
import { podInfo } from "./verbose.ts";
import {
  type CallContext,
  type Handler,
  inListOrder,
  lookUpPod,
  refuse,
  requirePod,
  type World,
} from "./world.ts";

export const runPodSandbox: Handler<RunPodSandboxRequest> = async (world, request, call) => {
  const { refuse: refusals, habits, handlers } = world.manner;
  refuse(refusals.runPod(request));
  const config = request.config ?? {};
  const handler = request.runtimeHandler ?? "";
  if (handler !== "" && !handlers.includes(handler)) throw refusals.unknownHandler(handler);

  const name = podName(world, config);
  const taken = [...world.state.pods.values()].find((pod) => pod.reservedName === name);
  if (taken !== undefined) {
    const isIdle = taken.state === "SANDBOX_NOTREADY";
    if (habits.nameConflict === "removes" && isIdle) await removePodNow(world, taken);
    const answer = refusals.podNameTaken(taken);
    if (answer === "the same pod") return { podSandboxId: taken.id };
    throw answer;
  }
  return await whileMaking(world, name, call, () => startPod(world, config, handler));
};

async function startPod(world: World, config: PodSandboxConfig, runtimeHandler: string): Promise<object> {
  const { refuse: refusals, habits } = world.manner;
  const fault = refusals.startPod(config) ?? podMistake(world, config) ?? hostPortFault(world, config);
  if (fault !== undefined && !habits.keepsFailedPods) throw fault;
  const why = hasOwnNetwork(config) ? networkFailureOf(world) : undefined;
  const createdAtNanos = why === undefined ? nowNanos() : goZeroTimeNanos;
  const pod = addPod(world, { config, runtimeHandler, createdAtNanos });
  if (fault !== undefined || why !== undefined) {
    pod.state = "SANDBOX_NOTREADY";
    pod.ip = "";
    throw fault ?? unknown(`failed to setup network for sandbox "${pod.id}": ${pluginText("add", why)}`);
  }
  await announcePod(world, "CREATED", pod);
  await announcePod(world, "STARTED", pod);
  return { podSandboxId: pod.id };
}

const hasOwnNetwork = ({ linux }: PodSandboxConfig): boolean =>
  linux?.securityContext?.namespaceOptions?.network !== "NODE";

/** Why CNI fails. Measured only on containerd, which keeps a pod that the plugin can neither set up nor tear down. */
const networkFailureOf = ({ manner, state }: World): string | undefined =>
  manner.family === "containerd" ? state.networkFailure : undefined;

const pluginText = (verb: "add" | "delete", why: string | undefined): string =>
  `plugin type="portmap" failed (${verb}): ${why}`;

/** Adds a running pod to the state. */
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
    hasNetwork: !onHost,
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

export const stopPodSandbox: Handler<PodRequest> = async (world, { podSandboxId }, call) => {
  const pod = lookUpPod(world, call.rpc, podSandboxId);
  if (pod !== undefined) await stopPod(world, pod, call);
  return {};
};

async function stopPod(world: World, pod: FakePod, { signal, deadline }: CallContext): Promise<void> {
  const { podStopGrace, keepsIpOfStoppedPods } = world.manner.habits;
  const graceMs = podStopGrace === "none" ? 0 : graceUntil(deadline);
  await Promise.all(
    containersOf(world.state, pod).map((container) => stopProcess(world, container, { graceMs, signal })),
  );
  if (signal.aborted) return;
  const why = pod.hasNetwork ? networkFailureOf(world) : undefined;
  if (why !== undefined) {
    throw unknown(`failed to destroy network for sandbox "${pod.id}": ${pluginText("delete", why)}`);
  }
  pod.hasNetwork = false;
  if (pod.state === "SANDBOX_NOTREADY") return;
  pod.state = "SANDBOX_NOTREADY";
  if (!keepsIpOfStoppedPods) pod.ip = "";
  await announcePod(world, "STOPPED", pod);
}

/** CRI-O's stopTimeoutFromContext: the time until the deadline, less 2 s for the remaining work. */
function graceUntil(deadline: Date | undefined): number {
  return deadline === undefined ? 10_000 : Math.max(0, deadline.getTime() - Date.now() - 2000);
}

export const removePodSandbox: Handler<PodRequest> = async (world, { podSandboxId }, call) => {
  const pod = lookUpPod(world, call.rpc, podSandboxId);
  if (pod === undefined) return {};
  try {
    await stopPod(world, pod, call);
  } catch (error) {
    const text = error instanceof GrpcFault ? error.details : String(error);
    throw unknown(`failed to forcibly stop sandbox "${pod.id}": ${text}`);
  }
  await removePodNow(world, pod);
  return {};
};

async function removePodNow(world: World, pod: FakePod): Promise<void> {
  for (const container of containersOf(world.state, pod)) await removeContainerNow(world, container);
  world.state.pods.delete(pod.id);
  await announcePod(world, "DELETED", pod);
}

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

/** The list items, shared with the streamed list. */
export function podItems(world: World, { filter }: ListRequest): object[] {
  const { id, state, labelSelector } = filter ?? {};
  const selected = selectedById(world.state.pods, id);
  const pods = inListOrder(world, [...world.state.pods.values()]).filter(
    (pod) =>
      (selected === undefined || pod === selected) &&
      // The state filter is a message: if present but empty, it means the zero value, READY.
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
