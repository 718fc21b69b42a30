/** Converts the state to CRI statuses, list items and events. */

import { type FakeTopic, timestampOf } from "./containerd-events.ts";
import { containersOf, type FakeContainer, type FakePod, nowNanos } from "./state.ts";
import type { World } from "./world.ts";

/** Returns `undefined` for a time that the runtime leaves unset, or the runtime's zero value. */
function time({ manner }: World, nanos: bigint): bigint | undefined {
  return nanos === 0n ? manner.habits.zeroTimeNanos : nanos;
}

export function podStatus({ manner }: World, pod: FakePod): object {
  const { config } = pod;
  const options = config.linux?.securityContext?.namespaceOptions;
  return {
    id: pod.id,
    metadata: config.metadata,
    state: pod.state,
    createdAt: pod.createdAtNanos,
    network: { ip: pod.ip },
    linux: { namespaces: { options: options ?? {} } },
    labels: manner.habits.podLabels(config),
    annotations: config.annotations,
    runtimeHandler: pod.runtimeHandler,
  };
}

export function podItem({ manner }: World, pod: FakePod): object {
  const { name, namespace } = pod.config.metadata ?? {};
  if (pod.unreadable) return { id: pod.id, metadata: { name, namespace }, state: "SANDBOX_NOTREADY" };
  return {
    id: pod.id,
    metadata: pod.config.metadata,
    state: pod.state,
    createdAt: pod.createdAtNanos,
    labels: manner.habits.podLabels(pod.config),
    annotations: pod.config.annotations,
    runtimeHandler: pod.runtimeHandler,
  };
}

export function containerStatus(world: World, container: FakeContainer): object {
  const { habits } = world.manner;
  const { config, image } = container;
  const imageName = image.repoTags[0] ?? image.repoDigests[0] ?? habits.imageId(image.digits);
  return {
    id: container.id,
    metadata: config.metadata,
    state: container.state,
    createdAt: container.createdAtNanos,
    startedAt: time(world, container.startedAtNanos),
    finishedAt: time(world, container.finishedAtNanos),
    exitCode: container.exitCode,
    image: { ...config.image, image: habits.imageName(imageName) },
    imageRef: habits.statusImageRef(image),
    reason: container.reason,
    message: container.message,
    labels: habits.containerLabels(config),
    annotations: config.annotations,
    mounts: config.mounts,
    logPath: container.logPath,
    resources:
      habits.tellsResources && container.updatedResources !== undefined
        ? { linux: container.updatedResources }
        : undefined,
    imageId: habits.tellsImageId ? habits.imageId(image.digits) : undefined,
    user: habits.tellsUser ? { linux: { uid: 0, gid: 0, supplementalGroups: [0] } } : undefined,
    stopSignal: config.stopSignal,
  };
}

export function containerItem({ manner }: World, container: FakeContainer): object {
  const { habits } = manner;
  const { config, image } = container;
  return {
    id: container.id,
    podSandboxId: container.podId,
    metadata: config.metadata,
    image: config.image,
    imageRef: habits.listImageRef(image),
    state: container.state,
    createdAt: container.createdAtNanos,
    labels: habits.containerLabels(config),
    annotations: config.annotations,
    imageId: habits.tellsImageId ? habits.imageId(image.digits) : undefined,
  };
}

export type EventKind = "CREATED" | "STARTED" | "STOPPED" | "DELETED";

/** Sends a container event to the subscribers. Settles late if they block the runtime. */
export function announceContainer(world: World, kind: EventKind, container: FakeContainer): Promise<void> {
  const pod = world.state.pods.get(container.podId);
  publishToContainerd(world, kind, container.id, { exitStatus: container.exitCode });
  return world.events.publish({
    containerId: container.id,
    containerEventType: `CONTAINER_${kind}_EVENT`,
    createdAt: nowNanos(),
    podSandboxStatus: pod === undefined ? undefined : podStatus(world, pod),
    containersStatuses: world.manner.habits.eventsHaveContainers ? [containerStatus(world, container)] : [],
  });
}

/** The same for pods, for the kinds of events that the runtime sends. */
export async function announcePod(world: World, kind: EventKind, pod: FakePod): Promise<void> {
  const { habits } = world.manner;
  publishToContainerd(world, kind, pod.id, { exitStatus: 137 });
  if (!habits.eventsOfPods.has(kind)) return;
  const hidden = kind === "DELETED" && !habits.deletedPodHasStatus;
  await world.events.publish({
    containerId: pod.id,
    containerEventType: `CONTAINER_${kind}_EVENT`,
    createdAt: nowNanos(),
    podSandboxStatus: hidden ? undefined : podStatus(world, pod),
    containersStatuses: habits.eventsHaveContainers
      ? containersOf(world.state, pod).map((container) => containerStatus(world, container))
      : [],
  });
}

/** The same as containerd's own events, in which a pod is a container, too. */
function publishToContainerd(
  { containerdEvents }: World,
  kind: EventKind,
  id: string,
  { exitStatus }: { exitStatus: number },
): void {
  const pid = 1;
  const exitedAt = timestampOf(nowNanos());
  const events: { readonly [K in EventKind]: readonly (readonly [FakeTopic, object])[] } = {
    CREATED: [["/containers/create", { id }]],
    STARTED: [
      ["/tasks/create", { containerId: id, pid }],
      ["/tasks/start", { containerId: id, pid }],
    ],
    STOPPED: [
      ["/tasks/exit", { containerId: id, id, pid, exitStatus, exitedAt }],
      ["/tasks/delete", { containerId: id, pid, exitStatus }],
    ],
    DELETED: [["/containers/delete", { id }]],
  };
  for (const [topic, draft] of events[kind]) containerdEvents.publish(topic, draft);
}
