/** Pods and containers that tests add to the state, as if they had always existed. */
import { addContainer } from "./containers.ts";
import { makeImage, resolveImage, storeImage } from "./image-store.ts";
import type { ContainerConfig, PodSandboxConfig } from "./messages.ts";
import { addPod } from "./pods.ts";
import { startProcess } from "./processes.ts";
import { type FakeContainer, type FakePod, newId, nowNanos, type OnTerm, requireById } from "./state.ts";
import type { World } from "./world.ts";

/** A pod that has always existed: no event announces it. */
export interface PodInit {
  /** Default: 64 random hexadecimal digits. */
  readonly id?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: { [key: string]: string };
  readonly annotations?: { [key: string]: string };
  /** Default: ready. */
  readonly state?: "ready" | "not ready";
  readonly runtimeHandler?: string;
  readonly createdAtNanos?: bigint;
  /** Further fields of PodSandboxConfig, in proto JSON. The members above take precedence. */
  readonly config?: object;
}

/** A container that has always existed. */
export interface ContainerInit {
  /** Its pod or the pod's id. Default: a new pod. */
  readonly pod?: FakePod | string;
  readonly id?: string;
  readonly name?: string;
  readonly attempt?: number;
  /** Default: `busybox:1.36`. An unknown image is added to the store. */
  readonly image?: string;
  readonly command?: string[];
  readonly args?: string[];
  readonly labels?: { [key: string]: string };
  readonly annotations?: { [key: string]: string };
  readonly logPath?: string;
  /** Default: running. */
  readonly state?: "created" | "running" | "exited" | "unknown";
  /** For an exited container. Default: 0. */
  readonly exitCode?: number;
  readonly createdAtNanos?: bigint;
  /** Reaction to SIGTERM: the exit code (default: 143) or "ignore". */
  readonly onTerm?: OnTerm;
  /** Further fields of ContainerConfig, in proto JSON. The members above take precedence. */
  readonly config?: object;
}

export function initPod(world: World, init: PodInit): FakePod {
  const number = world.state.pods.size + 1;
  const given: PodSandboxConfig = init.config ?? {};
  const config: PodSandboxConfig = {
    ...given,
    metadata: {
      ...given.metadata,
      name: init.name ?? given.metadata?.name ?? `pod-${number}`,
      namespace: init.namespace ?? given.metadata?.namespace ?? "default",
      uid: init.uid ?? given.metadata?.uid ?? newId().slice(0, 32),
    },
  };
  if (init.labels !== undefined) config.labels = init.labels;
  if (init.annotations !== undefined) config.annotations = init.annotations;
  const pod = addPod(world, {
    config,
    id: init.id ?? newId(),
    runtimeHandler: init.runtimeHandler ?? "",
    createdAtNanos: init.createdAtNanos ?? nowNanos(),
  });
  if (init.state === "not ready") {
    pod.state = "SANDBOX_NOTREADY";
    pod.hasNetwork = false;
    if (!world.manner.habits.keepsIpOfStoppedPods) pod.ip = "";
  }
  return pod;
}

export function initContainer(world: World, init: ContainerInit): FakeContainer {
  const { state } = world;
  const pod =
    typeof init.pod === "string" ? requireById(state.pods, init.pod) : (init.pod ?? initPod(world, {}));
  const given: ContainerConfig = init.config ?? {};
  const asked = init.image ?? given.image?.image ?? "docker.io/library/busybox:1.36";
  const image = resolveImage(world, asked) ?? storeImage(state, makeImage({ tags: [asked] }));
  const config: ContainerConfig = {
    ...given,
    metadata: {
      name: init.name ?? given.metadata?.name ?? `container-${state.containers.size + 1}`,
      attempt: init.attempt ?? given.metadata?.attempt ?? 0,
    },
    image: { userSpecifiedImage: asked, ...given.image, image: asked },
  };
  if (init.command !== undefined) config.command = init.command;
  if (init.args !== undefined) config.args = init.args;
  if (init.labels !== undefined) config.labels = init.labels;
  if (init.annotations !== undefined) config.annotations = init.annotations;
  if (init.logPath !== undefined) config.logPath = init.logPath;
  const container = addContainer(world, {
    ...{ pod, config, image },
    id: init.id ?? newId(),
    createdAtNanos: init.createdAtNanos ?? nowNanos(),
    ...(init.onTerm === undefined ? {} : { onTerm: init.onTerm }),
  });
  applyState(world, container, init);
  return container;
}

function applyState(world: World, container: FakeContainer, init: ContainerInit): void {
  const { state = "running", exitCode = 0 } = init;
  if (state === "created") return;
  if (state === "running") {
    startProcess(world, container);
    return;
  }
  container.startedAtNanos = container.createdAtNanos + 1_000_000n;
  if (state === "unknown") {
    container.state = "CONTAINER_UNKNOWN";
    return;
  }
  container.state = "CONTAINER_EXITED";
  container.finishedAtNanos = container.startedAtNanos + 1_000_000n;
  container.exitCode = exitCode;
  container.reason = exitCode === 0 ? "Completed" : "Error";
}
