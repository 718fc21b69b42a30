import { announceContainer, containerItem, containerStatus } from "./answers.ts";
import { changeFault } from "./changes.ts";
import { matchesLabels, selectedById } from "./filters.ts";
import { resolveImage } from "./image-store.ts";
import { whileMaking } from "./making.ts";
import type {
  ContainerConfig,
  ContainerRequest,
  CreateContainerRequest,
  ListRequest,
  StopContainerRequest,
  UpdateContainerResourcesRequest,
} from "./messages.ts";
import { containerMistake, updateMistake } from "./mistakes.ts";
import { commandOf, exitProcess, startProcess, stopProcess } from "./processes.ts";
import { isMissingCommand, onTermOf } from "./shell.ts";
import { type FakeContainer, type FakeImage, type FakePod, newId, nowNanos, type OnTerm } from "./state.ts";
import { containerInfo } from "./verbose.ts";
import {
  type Handler,
  inListOrder,
  lookUpContainer,
  refuse,
  requireContainer,
  requirePod,
  type World,
} from "./world.ts";

export const createContainer: Handler<CreateContainerRequest> = async (world, request, call) => {
  const { refuse: refusals, habits } = world.manner;
  refuse(refusals.createContainerShape(request));
  const pod = requirePod(world, call.rpc, request.podSandboxId);
  const config = request.config ?? {};
  const name = containerName(world, pod, config);
  const taken = [...world.state.containers.values()].find((container) => container.reservedName === name);
  refuse(refusals.createContainer(request, pod));
  if (taken !== undefined) {
    const isIdle = taken.state !== "CONTAINER_RUNNING";
    if (habits.nameConflict === "removes" && isIdle) await removeContainerNow(world, taken);
    const answer = refusals.containerNameTaken(taken);
    if (answer === "the same container") return { containerId: taken.id };
    throw answer;
  }
  const asked = config.image?.image ?? "";
  const image = resolveImage(world, asked);
  if (image === undefined) throw refusals.imageMissing(asked);

  const id = newId();
  const [command = ""] = commandOf(config, image);
  const failure = refusals.commandMissing(command, id);
  if (isMissingCommand(command) && failure.at === "create") throw failure.fault;
  refuse(containerMistake(world, "create", { config, id }));
  return await whileMaking(world, name, call, async () => {
    const container = addContainer(world, { id, pod, config, image });
    await announceContainer(world, "CREATED", container);
    return { containerId: id };
  });
};

/** Adds a created container to the state. */
export function addContainer(
  world: World,
  init: {
    readonly pod: FakePod;
    readonly config: ContainerConfig;
    readonly image: FakeImage;
    readonly id?: string;
    readonly createdAtNanos?: bigint;
    readonly onTerm?: OnTerm;
  },
): FakeContainer {
  const { pod, config, image } = init;
  const id = init.id ?? newId();
  const container: FakeContainer = {
    id,
    podId: pod.id,
    config,
    image,
    reservedName: containerName(world, pod, config),
    createdAtNanos: init.createdAtNanos ?? nowNanos(),
    logPath: world.manner.habits.logPath(pod, config, id),
    state: "CONTAINER_CREATED",
    startedAtNanos: 0n,
    finishedAtNanos: 0n,
    exitCode: 0,
    reason: "",
    message: "",
    onTerm: init.onTerm ?? onTermOf(commandOf(config, image)),
    pid: 0,
    updatedResources: undefined,
    process: undefined,
    change: undefined,
    stopping: undefined,
    statsReads: 0,
  };
  world.state.containers.set(id, container);
  return container;
}

function containerName({ manner }: World, pod: FakePod, config: ContainerConfig): string {
  const { name = "", namespace = "", uid = "" } = pod.config.metadata ?? {};
  const own = config.metadata;
  const prefix = manner.family === "containerd" ? "" : "k8s_";
  return `${prefix}${own?.name ?? ""}_${name}_${namespace}_${uid}_${own?.attempt ?? 0}`;
}

export const startContainer: Handler<ContainerRequest> = async (world, { containerId }, { rpc }) => {
  const container = requireContainer(world, rpc, containerId);
  refuse(changeFault(world.manner, "start", container));
  refuse(world.manner.refuse.startContainer(container, world.state.pods.get(container.podId)));
  if (container.state === "CONTAINER_RUNNING") return {};
  const [command = ""] = commandOf(container.config, container.image);
  const fault = isMissingCommand(command)
    ? world.manner.refuse.commandMissing(command, container.id).fault
    : containerMistake(world, "start", container);
  if (fault !== undefined) {
    container.state = "CONTAINER_EXITED";
    container.startedAtNanos = container.finishedAtNanos = nowNanos();
    const docker = world.manner.family === "cri-dockerd";
    container.exitCode = docker ? 127 : 128;
    container.reason = docker ? "ContainerCannotRun" : "StartError";
    container.message = fault.details;
    throw fault;
  }
  startProcess(world, container);
  await announceContainer(world, "STARTED", container);
  return {};
};

export const stopContainer: Handler<StopContainerRequest> = async (world, request, { rpc, signal }) => {
  const container = lookUpContainer(world, rpc, request.containerId);
  if (container !== undefined) {
    await stopProcess(world, container, { graceMs: Number(request.timeout ?? 0) * 1000, signal });
  }
  return {};
};

export const removeContainer: Handler<ContainerRequest> = async (world, { containerId }, { rpc }) => {
  const container = lookUpContainer(world, rpc, containerId);
  if (container !== undefined) await removeContainerNow(world, container);
  return {};
};

/** Removes a container in any state. */
export async function removeContainerNow(world: World, container: FakeContainer): Promise<void> {
  refuse(changeFault(world.manner, "remove", container));
  await exitProcess(world, container, 137);
  if (!world.state.containers.delete(container.id)) return;
  await announceContainer(world, "DELETED", container);
}

export const containerStatusOf: Handler<ContainerRequest> = (world, { containerId, verbose }, { rpc }) => {
  const container = requireContainer(world, rpc, containerId);
  return {
    status: containerStatus(world, container),
    info: verbose ? containerInfo(world, container) : undefined,
  };
};

export const listContainers: Handler<ListRequest> = (world, request) => ({
  containers: containerItems(world, request),
});

/** The list items, shared with the streamed list. */
export function containerItems(world: World, request: ListRequest): object[] {
  const state = request.filter?.state;
  return matchingContainers(world, request)
    .filter((container) => state === undefined || container.state === (state.state ?? "CONTAINER_CREATED"))
    .map((container) => containerItem(world, container));
}

/** Filters by id, pod and labels, in the runtime's list order. Statistics use the same filter. */
export function matchingContainers(world: World, { filter }: ListRequest): FakeContainer[] {
  const { id, podSandboxId, labelSelector } = filter ?? {};
  const selected = selectedById(world.state.containers, id);
  const { habits } = world.manner;
  return inListOrder(world, [...world.state.containers.values()]).filter(
    (container) =>
      (selected === undefined || container === selected) &&
      (podSandboxId === undefined ||
        (habits.podFilterTakesPrefix
          ? container.podId.startsWith(podSandboxId)
          : container.podId === podSandboxId)) &&
      matchesLabels(habits.containerLabels(container.config), labelSelector),
  );
}

export const updateContainerResources: Handler<UpdateContainerResourcesRequest> = (
  world,
  request,
  { rpc },
) => {
  refuse(world.manner.refuse.updateResourcesShape(request));
  const container = requireContainer(world, rpc, request.containerId);
  refuse(changeFault(world.manner, "update", container));
  refuse(world.manner.refuse.updateResources(container));
  refuse(updateMistake(world, request.linux, container.id));
  container.updatedResources = {
    ...container.config.linux?.resources,
    ...container.updatedResources,
    ...request.linux,
  };
  return {};
};

export const reopenContainerLog: Handler<ContainerRequest> = (world, { containerId }, { rpc }) => {
  const container = requireContainer(world, rpc, containerId);
  refuse(world.manner.refuse.reopenLog(container));
  return {};
};

export const checkpointContainer: Handler<ContainerRequest> = (world, { containerId }, { rpc }) => {
  const container = requireContainer(world, rpc, containerId);
  refuse(world.manner.refuse.checkpoint(container));
  return {};
};
