/** Finds the containers whose logs a reader selects. */
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Container, PodSandbox } from "../gen/messages.ts";
import { type ChangeWatch, type NodeChanges, watchChanges } from "../inventory/changes.ts";

/** A container whose log can be read. */
export interface LoggedContainer {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly podSandboxId: string;
  /** Name and namespace of its pod. */
  readonly pod: string;
  readonly namespace: string;
  /** Whether it writes no more. */
  readonly isEnded: boolean;
}

/** The containers that a reader selects. Absent members do not restrict it. */
export interface Selection {
  readonly containerId?: string | undefined;
  readonly podSandboxId?: string | undefined;
  readonly namespace?: string | undefined;
  /** Name or id of the pod, or the first digits of its id, at least 8. */
  readonly pod?: string | undefined;
  /** The labels of the container, and those of its pod where the container has no such label. */
  readonly matches?: ((labels: { readonly [key: string]: string }) => boolean) | undefined;
}

export interface Found {
  /** Whether the container or the pod exists that the selection names by its id. */
  readonly isThere: boolean;
  readonly containers: readonly LoggedContainer[];
  /** Whether no other container can join. */
  readonly isComplete: boolean;
}

/** Knows the containers of the node. */
export interface ContainerSource {
  /** Those that match now. @throws {GatewayError} */
  list(selection: Selection): Promise<Found>;
  /** The path of a container's log, as the runtime reports it. @throws {GatewayError} */
  logPathOf(containerId: string): Promise<string>;
  /** Says when to list again, until the signal aborts. */
  watch(selection: Selection, signal: AbortSignal): ChangeWatch;
}

/** Minimum time between two lists of a follower, in milliseconds. Without events, it lists this often. */
const listEveryMs = 1000;

/**
 * Finds containers by listing them. Always asks the runtime: an event reports an exit before the last lines are in the
 * log, and CRI only after it.
 */
export function listedContainers(runtime: Runtime, changes: NodeChanges): ContainerSource {
  async function podsOf(id: string | undefined): Promise<ReadonlyMap<string, PodSandbox>> {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", id ? { filter: { id } } : {});
    return new Map(items.map((pod) => [pod.id, pod]));
  }

  return {
    async list(selection) {
      const { containerId, podSandboxId } = selection;
      const filter = {
        ...(containerId === undefined ? {} : { id: containerId }),
        ...(podSandboxId === undefined ? {} : { podSandboxId }),
      };
      const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter });
      const chosen = containers.filter((one) => containerId === undefined || one.id === containerId);
      const onePod = podSandboxId ?? (containerId === undefined ? undefined : chosen[0]?.podSandboxId);
      const pods = await podsOf(onePod);
      return {
        isThere:
          containerId === undefined
            ? podSandboxId === undefined || pods.has(podSandboxId)
            : chosen.length > 0,
        containers: chosen.flatMap((container) => {
          const pod = pods.get(container.podSandboxId);
          return isChosen(container, pod, selection) ? [loggedOf(container, pod)] : [];
        }),
        isComplete: isComplete(selection, pods),
      };
    },

    async logPathOf(containerId) {
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId });
      if (!status)
        throw new GatewayError("not_found", `Cannot find container "${containerId}": the runtime has none`);
      return status.logPath;
    },

    watch: (of, signal) => watchChanges(changes, { of, insteadOfMs: listEveryMs, signal }),
  };
}

/** A source that knows this container only. */
export function oneContainer(container: LoggedContainer, logPathOf: () => Promise<string>): ContainerSource {
  return {
    list: async () => ({ containers: [container], isThere: true, isComplete: true }),
    logPathOf,
    changed: () => new Promise(() => undefined),
  };
}

function isComplete(
  { containerId, podSandboxId }: Selection,
  pods: ReadonlyMap<string, PodSandbox>,
): boolean {
  if (containerId !== undefined) return true;
  return podSandboxId !== undefined && pods.get(podSandboxId)?.state !== "SANDBOX_READY";
}

function isChosen(container: Container, pod: PodSandbox | undefined, selection: Selection): boolean {
  const { namespace, pod: wanted, matches } = selection;
  if (namespace !== undefined && pod?.metadata?.namespace !== namespace) return false;
  if (wanted !== undefined && !isNamed(pod, wanted)) return false;
  return matches === undefined || matches({ ...pod?.labels, ...container.labels });
}

function isNamed(pod: PodSandbox | undefined, wanted: string): boolean {
  if (pod === undefined) return false;
  return pod.metadata?.name === wanted || (/^[0-9a-f]{8,64}$/.test(wanted) && pod.id.startsWith(wanted));
}

function loggedOf(
  { id, metadata, podSandboxId, state }: Container,
  pod: PodSandbox | undefined,
): LoggedContainer {
  return {
    id,
    name: metadata?.name ?? "",
    attempt: metadata?.attempt ?? 0,
    podSandboxId,
    pod: pod?.metadata?.name ?? "",
    namespace: pod?.metadata?.namespace ?? "",
    isEnded: state === "CONTAINER_EXITED",
  };
}
