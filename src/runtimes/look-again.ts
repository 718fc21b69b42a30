/** Looks after a stop or a removal that the runtime answered with OK, whether it was carried out. */
import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Request } from "./translate-error.ts";

/** What is looked at, and how. */
interface Looked {
  readonly request: Request;
  readonly options: CallOptions;
}

export type Look = (runtime: Runtime, looked: Looked) => Promise<void>;

/** CRI-O may show a container as running for a moment after it has ended. Nothing is said before the last look. */
const pausesMs: readonly number[] = [50, 200, 500];

/** @throws {GatewayError} `runtime_error` when what was to be stopped runs, or what was to be removed is there. */
export const lookAgain = {
  stopContainer: look("StopContainer", async (runtime, { request: { containerId = "" }, options }) => {
    const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
    return status?.state === "CONTAINER_RUNNING" ? `container "${containerId}" still runs` : undefined;
  }),

  stopPod: look("StopPodSandbox", async (runtime, { request: { podSandboxId = "" }, options }) => {
    const { status } = await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId }, options);
    return status?.state === "SANDBOX_READY" ? `pod "${podSandboxId}" is still ready` : undefined;
  }),

  removeContainer: look("RemoveContainer", async (runtime, { request: { containerId = "" }, options }) => {
    const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
    return status?.id === containerId ? `container "${containerId}" is still there` : undefined;
  }),

  removePod: look("RemovePodSandbox", async (runtime, { request: { podSandboxId = "" }, options }) => {
    const { status } = await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId }, options);
    return status?.id === podSandboxId ? `pod "${podSandboxId}" is still there` : undefined;
  }),

  removeImage: look("RemoveImage", async (runtime, { request, options }) => {
    const asked = { image: request.image ?? {} };
    const { image } = await call(runtime, "ImageService/ImageStatus", asked, options);
    if (image === undefined) return undefined;
    // containerd keeps an image that was imported under a name that CRI cannot spell, as `ctr images import --digests` does.
    const names = [...image.repoTags, ...image.repoDigests].join(", ") || "no name";
    return `image "${image.id}" is still there, with ${names}. Remove it on the node; with containerd, "ctr --namespace k8s.io images ls" shows its names and "images rm" removes them, and containerd forgets the image when it is restarted`;
  }),
} satisfies { readonly [operation: string]: Look };

/** `findLeft` answers what is left, if anything. */
function look(
  method: string,
  findLeft: (runtime: Runtime, looked: Looked) => Promise<string | undefined>,
): Look {
  return async (runtime, looked) => {
    let left: string | undefined;
    for (const pauseMs of [0, ...pausesMs]) {
      if (pauseMs > 0) await sleep(pauseMs);
      // Absence is an error on most runtimes. What cannot be looked at is taken for done, as the runtime says.
      left = await findLeft(runtime, looked).catch(() => undefined);
      if (left === undefined) return;
    }
    throw new GatewayError("runtime_error", `${method} failed: the runtime answered OK, but ${left}`);
  };
}
