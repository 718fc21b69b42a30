/** The logs of the containers that a runtime has. */
import { call } from "../../cri/call.ts";
import type { Runtime } from "../../cri/channel.ts";
import { GatewayError } from "../../errors.ts";
import { managedLabel } from "../../runtimes/pod-config.ts";
import { realPlace } from "./log-place.ts";

/** The log of a container in a pod that Crest made. */
export interface ContainerLog {
  readonly containerId: string;
  /** Without symbolic links in its folder. */
  readonly path: string;
  readonly isRunning: boolean;
}

export interface ExistingLogs {
  /** The logs of containers in pods that Crest made. Calls the runtime once for each new container. */
  ofManagedPods(): Promise<readonly ContainerLog[]>;
  /** The paths of the logs of all containers, and the ids of the pods that Crest made. */
  everyPath(): Promise<{ readonly paths: ReadonlySet<string>; readonly podIds: ReadonlySet<string> }>;
}

/** Status calls at once. */
const width = 4;

/** All functions throw as `Runtime.call`. */
export function createExistingLogs(runtime: Runtime): ExistingLogs {
  /** Container id -> path. A path never changes. Empty: the container has no log. */
  const paths = new Map<string, string>();

  async function list() {
    const { items: pods } = await call(runtime, "RuntimeService/ListPodSandbox", {
      filter: { labelSelector: { [managedLabel]: "true" } },
    });
    const { containers } = await call(runtime, "RuntimeService/ListContainers", {});
    const ids = new Set(containers.map(({ id }) => id));
    for (const id of paths.keys()) if (!ids.has(id)) paths.delete(id);
    return { podIds: new Set(pods.map(({ id }) => id)), containers };
  }

  async function readPath(containerId: string): Promise<void> {
    try {
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId });
      const logPath = status?.logPath ?? "";
      const path = logPath === "" ? "" : await realPlace(logPath);
      // Without a folder there is no log yet. It may have one later.
      if (path !== undefined) paths.set(containerId, path);
    } catch (error) {
      if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
    }
  }

  async function readPaths(ids: readonly string[]): Promise<void> {
    const unknown = ids.filter((id) => !paths.has(id));
    const worker = async (): Promise<void> => {
      for (let id = unknown.pop(); id !== undefined; id = unknown.pop()) await readPath(id);
    };
    await Promise.all(Array.from({ length: width }, worker));
  }

  return {
    async ofManagedPods() {
      const { podIds, containers } = await list();
      const managed = containers.filter(({ podSandboxId }) => podIds.has(podSandboxId));
      await readPaths(managed.map(({ id }) => id));
      return managed.flatMap(({ id, state }) => {
        const path = paths.get(id);
        return path ? [{ containerId: id, path, isRunning: state === "CONTAINER_RUNNING" }] : [];
      });
    },
    async everyPath() {
      const { podIds, containers } = await list();
      await readPaths(containers.map(({ id }) => id));
      return { paths: new Set(paths.values()), podIds };
    },
  };
}
