/** The containers whose logs can be read: those that the runtime has, and removed ones whose logs are kept. */
import { join } from "node:path";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { PodSandbox } from "../gen/messages.ts";
import type { NodeChanges } from "../inventory/changes.ts";
import type { KeptLogs } from "./keeping/kept-logs.ts";
import { isSelected, type LogOwner, ownerOf, type Selection } from "./log-selection.ts";
import { type ContainerWatch, type Listed, watchContainers } from "./watch-containers.ts";

/** A container whose log can be read. */
export interface LoggedContainer extends LogOwner {
  /** Whether it writes no more. */
  readonly isEnded: boolean;
  /** Whether only its log is left. */
  readonly isRemoved: boolean;
}

export interface Found extends Listed {
  /** Whether the container or the pod exists that the selection names by its id. */
  readonly isThere: boolean;
  /** Those that have been removed come last, the latest first. */
  readonly containers: readonly LoggedContainer[];
}

/** Knows the containers of the node. */
export interface ContainerSource {
  /** Those that match now. @throws {GatewayError} */
  list(selection: Selection): Promise<Found>;
  /** The path of a container's log, as the runtime reports or reported it. @throws {GatewayError} */
  logPathOf(containerId: string): Promise<string>;
  /** Says when to list again, until the signal aborts. */
  watch(selection: Selection, signal: AbortSignal): ContainerWatch;
}

export interface SourceOptions {
  readonly runtime: Runtime;
  readonly changes: NodeChanges;
  readonly kept: Pick<KeptLogs, "select">;
  readonly logRoot: string;
}

/** Finds containers by listing them. `kept`: the logs below `logRoot`. */
export function listedContainers({ runtime, changes, kept, logRoot }: SourceOptions): ContainerSource {
  async function podsOf(id: string | undefined): Promise<ReadonlyMap<string, PodSandbox>> {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", id ? { filter: { id } } : {});
    return new Map(items.map((pod) => [pod.id, pod]));
  }

  return {
    async list(selection) {
      const { containerId, podSandboxId } = selection;
      // Before the runtime is asked: what it does not list then has been removed.
      const known = kept.select(selection);
      const filter = {
        ...(containerId === undefined ? {} : { id: containerId }),
        ...(podSandboxId === undefined ? {} : { podSandboxId }),
      };
      const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter });
      const ids = new Set(containers.map(({ id }) => id));
      const removed = known.flatMap(({ owner }) =>
        ids.has(owner.id) ? [] : [{ ...owner, isEnded: true, isRemoved: true }],
      );
      const ofOne = containers.find(({ id }) => id === containerId) ?? removed[0];
      const pods = await podsOf(
        podSandboxId ?? (containerId === undefined ? undefined : ofOne?.podSandboxId),
      );
      const present = containers.flatMap((container) => {
        const owner = ownerOf(container, pods.get(container.podSandboxId));
        const isEnded = container.state === "CONTAINER_EXITED";
        return isSelected(owner, selection) ? [{ ...owner, isEnded, isRemoved: false }] : [];
      });
      const found = [...present, ...removed];
      const isPodThere = podSandboxId === undefined || pods.has(podSandboxId);
      return {
        isThere: found.length > 0 || (containerId === undefined && isPodThere),
        containers: found,
        isComplete: isComplete(selection, pods),
      };
    },

    async logPathOf(containerId) {
      try {
        const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId });
        if (status) return status.logPath;
      } catch (error) {
        if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
      }
      const [removed] = kept.select({ containerId });
      if (removed !== undefined) return join(logRoot, removed.path);
      throw new GatewayError("not_found", `Cannot find container "${containerId}": the runtime has none`);
    },

    watch: (selection, signal) => watchContainers(changes, selection, signal),
  };
}

function isComplete(
  { containerId, podSandboxId }: Selection,
  pods: ReadonlyMap<string, PodSandbox>,
): boolean {
  if (containerId !== undefined) return true;
  return podSandboxId !== undefined && pods.get(podSandboxId)?.state !== "SANDBOX_READY";
}

/** A source that knows this container only. */
export function oneContainer(container: LoggedContainer, logPathOf: () => Promise<string>): ContainerSource {
  return {
    list: async () => ({ containers: [container], isThere: true, isComplete: true }),
    logPathOf,
    watch: () => ({ due: () => new Promise(() => undefined) }),
  };
}
