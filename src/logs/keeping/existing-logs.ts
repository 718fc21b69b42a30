/** The logs of the containers that a runtime has. */
import { call } from "../../cri/call.ts";
import type { CallOptions, Runtime } from "../../cri/channel.ts";
import { GatewayError } from "../../errors.ts";
import { managedLabel } from "../../runtimes/pod-config.ts";
import { type LogOwner, ownerOf } from "../log-selection.ts";
import { realPlace } from "./log-place.ts";

/** The log of a container in a pod that Crest made. */
export interface ContainerLog {
  readonly owner: LogOwner;
  /** Without symbolic links in its folder. */
  readonly path: string;
  readonly isRunning: boolean;
}

/** Absent members choose everything. */
export interface Filter {
  readonly containerId?: string | undefined;
  readonly podSandboxId?: string | undefined;
}

export interface ExistingLogs {
  /** The logs of containers in pods that Crest made. Calls the runtime once for each new container. */
  ofManagedPods(filter?: Filter, options?: CallOptions): Promise<readonly ContainerLog[]>;
  /** The paths of the logs of all containers, and the ids of the pods that Crest made. */
  everyPath(): Promise<{ readonly paths: ReadonlySet<string>; readonly podIds: ReadonlySet<string> }>;
}

/** Status calls at once. */
const width = 4;

/** All functions throw as `Runtime.call`. */
export function createExistingLogs(runtime: Runtime): ExistingLogs {
  /** Container id -> path. A path never changes. Empty: the container has no log. */
  const paths = new Map<string, string>();

  async function list({ containerId: id, podSandboxId }: Filter = {}, options?: CallOptions) {
    const labelSelector = { [managedLabel]: "true" };
    const { items } = await call(
      runtime,
      "RuntimeService/ListPodSandbox",
      { filter: podSandboxId === undefined ? { labelSelector } : { labelSelector, id: podSandboxId } },
      options,
    );
    const filter = {
      ...(id === undefined ? {} : { id }),
      ...(podSandboxId === undefined ? {} : { podSandboxId }),
    };
    const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter }, options);
    if (id === undefined && podSandboxId === undefined) {
      const ids = new Set(containers.map((one) => one.id));
      for (const known of paths.keys()) if (!ids.has(known)) paths.delete(known);
    }
    return { pods: new Map(items.map((pod) => [pod.id, pod])), containers };
  }

  async function readPath(containerId: string, options?: CallOptions): Promise<void> {
    try {
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
      const logPath = status?.logPath ?? "";
      const path = logPath === "" ? "" : await realPlace(logPath);
      // Without a folder there is no log yet. It may have one later.
      if (path !== undefined) paths.set(containerId, path);
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
    }
  }

  async function readPaths(ids: readonly string[], options?: CallOptions): Promise<void> {
    const unknown = ids.filter((id) => !paths.has(id));
    const worker = async (): Promise<void> => {
      for (let id = unknown.pop(); id !== undefined; id = unknown.pop()) await readPath(id, options);
    };
    await Promise.all(Array.from({ length: width }, worker));
  }

  return {
    async ofManagedPods(filter, options) {
      const { pods, containers } = await list(filter, options);
      const managed = containers.filter(({ podSandboxId }) => pods.has(podSandboxId));
      await readPaths(
        managed.map(({ id }) => id),
        options,
      );
      return managed.flatMap((container) => {
        const path = paths.get(container.id);
        const isRunning = container.state === "CONTAINER_RUNNING";
        const owner = ownerOf(container, pods.get(container.podSandboxId));
        return path ? [{ owner, path, isRunning }] : [];
      });
    },
    async everyPath() {
      const { pods, containers } = await list();
      await readPaths(containers.map(({ id }) => id));
      return { paths: new Set(paths.values()), podIds: new Set(pods.keys()) };
    },
  };
}
