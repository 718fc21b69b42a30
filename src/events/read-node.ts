/** Reads pods, containers and images from the runtime, and reports them to the state. */
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Container, ContainerStatus, PodSandbox } from "../gen/messages.ts";
import type { ImageState } from "./image-state.ts";
import type { Exit, NodeState } from "./node-state.ts";

export interface NodeReader {
  /** Reports the current state of a pod. Returns false if there is none. @throws {GatewayError} */
  lookAtPod(id: string): Promise<boolean>;
  /** As `lookAtPod`, for a container; also looks at its pod, unless that is known to be ready. */
  lookAtContainer(id: string): Promise<boolean>;
  /** The status of a container; undefined if the runtime has none. */
  statusOf(id: string): Promise<ContainerStatus | undefined>;
  /**
   * Compares all pods and containers with the known state. With `isFirst`, nothing is known yet, and statuses of
   * containers are left to `readStatuses`.
   *
   * @throws {GatewayError}
   */
  readAll(options?: { readonly isFirst: boolean }): Promise<void>;
  /** Reads the statuses that `readAll` left out: one call for each container. @throws {GatewayError} */
  readStatuses(): Promise<void>;
  readImages(): Promise<void>;
}

const phases: { readonly [S in Container["state"]]?: "running" | "exited" } = {
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
};

/** The exit that a status reports; undefined for a container that has not exited. */
export function exitIn({ state, exitCode, finishedAt, reason, message }: ContainerStatus): Exit | undefined {
  if (state !== "CONTAINER_EXITED") return undefined;
  return { code: exitCode, at: BigInt(finishedAt), reason, message };
}

/** How many statuses are read at once. */
const width = 8;

/** A pod may take this long to become ready. */
const startingMs = 60_000;

/** These reads have no caller who needs an explanation of errors. */
const options = { asIs: true };

export function createNodeReader({
  runtime,
  state,
  images,
}: {
  readonly runtime: Runtime;
  readonly state: NodeState;
  readonly images: ImageState;
}): NodeReader {
  function reportPod(pod: PodSandbox): void {
    if (!state.hasPod(pod.id)) {
      state.podCreated({
        id: pod.id,
        name: pod.metadata?.name ?? "",
        namespace: pod.metadata?.namespace ?? "",
        labels: pod.labels,
        createdAt: BigInt(pod.createdAt),
      });
      if (pod.state === "SANDBOX_READY") state.podReady(pod.id, BigInt(pod.createdAt));
    } else if (pod.state === "SANDBOX_READY") state.podReady(pod.id);
  }

  /** To be called after the pod's containers have been reported, because they end first. */
  function reportStopped(pod: PodSandbox): void {
    if (pod.state !== "SANDBOX_NOTREADY") return;
    const ageMs = Date.now() - Number(BigInt(pod.createdAt) / 1_000_000n);
    if (state.podPhaseOf(pod.id) === "ready" || ageMs > startingMs) state.podStopped(pod.id);
  }

  async function reportContainer(container: Container, isFirst: boolean): Promise<void> {
    const { id } = container;
    if (state.wasRemoved(id)) return;
    state.containerCreated({
      id,
      podId: container.podSandboxId,
      name: container.metadata?.name ?? "",
      attempt: container.metadata?.attempt ?? 0,
      image: container.image?.userSpecifiedImage || container.image?.image || "",
      labels: container.labels,
      createdAt: BigInt(container.createdAt),
    });
    const phase = state.phaseOf(id);
    const now = phases[container.state];
    if (now === undefined || phase === now) return;
    if (isFirst) return state.containerFound(id, now);
    const status = await reader.statusOf(id);
    if (status === undefined) return;
    const startedAt = BigInt(status.startedAt);
    const exit = exitIn(status);
    if (startedAt > 0n) state.containerStarted(id, startedAt);
    if (exit !== undefined) state.containerExited(id, exit);
  }

  /** Works on several items at once. */
  async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const waiting = items.toReversed();
    const worker = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await work(next);
    };
    await Promise.all(Array.from({ length: width }, worker));
  }

  const reader: NodeReader = {
    async lookAtPod(id) {
      const { items } = await call(runtime, "RuntimeService/ListPodSandbox", { filter: { id } }, options);
      const pod = items.find((item) => item.id === id);
      if (pod === undefined) return false;
      reportPod(pod);
      reportStopped(pod);
      return true;
    },
    async lookAtContainer(id) {
      const { containers } = await call(
        runtime,
        "RuntimeService/ListContainers",
        { filter: { id } },
        options,
      );
      const container = containers.find((item) => item.id === id);
      if (container === undefined) return false;
      const { podSandboxId } = container;
      const phase = state.podPhaseOf(podSandboxId);
      if (podSandboxId !== "" && (phase === undefined || phase === "created"))
        await reader.lookAtPod(podSandboxId);
      await reportContainer(container, false);
      return true;
    },
    async statusOf(containerId) {
      try {
        const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
        return status;
      } catch (error) {
        // It was removed after it was listed. Runtimes report this in different ways.
        if (error instanceof GatewayError && error.code !== "runtime_unavailable") return undefined;
        throw error;
      }
    },
    async readAll({ isFirst } = { isFirst: false }) {
      const { clock } = state;
      const [{ items: pods }, { containers }] = await Promise.all([
        call(runtime, "RuntimeService/ListPodSandbox", {}, options),
        call(runtime, "RuntimeService/ListContainers", {}, options),
      ]);
      for (const pod of pods) if (!state.wasRemoved(pod.id)) reportPod(pod);
      await inParallel(containers, (container) => reportContainer(container, isFirst));
      for (const pod of pods) reportStopped(pod);
      const listed = new Set([...pods.map(({ id }) => id), ...containers.map(({ id }) => id)]);
      const quiet = state.untouchedSince(clock);
      for (const id of quiet.containers) if (!listed.has(id)) state.containerRemoved(id);
      for (const id of quiet.pods) if (!listed.has(id)) state.podRemoved(id);
    },
    async readStatuses() {
      await inParallel(state.unexplained, async (id) => {
        const status = await reader.statusOf(id);
        if (status !== undefined) state.containerExplained(id, BigInt(status.startedAt), exitIn(status));
      });
    },
    async readImages() {
      const { images: listed } = await call(runtime, "ImageService/ListImages", {}, options);
      images.report(listed);
    },
  };
  return reader;
}
