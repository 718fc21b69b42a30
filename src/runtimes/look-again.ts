/** Verifies that a stop or removal that the runtime reported as successful took effect. */
import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Request } from "./translate-error.ts";

interface Looked {
  readonly request: Request;
  readonly options: CallOptions;
}

export type Look = (runtime: Runtime, looked: Looked) => Promise<void>;

/** CRI-O may show a container as running for a moment after it has exited, so only the last check can fail. */
const pausesMs: readonly number[] = [50, 200, 500];

/** @throws {GatewayError} `runtime_error`: when the target of a stop still runs, or that of a removal still exists. */
export const lookAgain = {
  stopContainer: look("StopContainer", async (runtime, { request: { containerId = "" }, options }) => {
    const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
    return status?.state === "CONTAINER_RUNNING" ? `container "${containerId}" is still running` : undefined;
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
    // containerd keeps an image imported under a name that CRI cannot express, as with `ctr images import --digests`.
    const names = [...image.repoTags, ...image.repoDigests].join(", ") || "no name";
    return `image "${image.id}" is still there, with ${names}. Remove it on the node; with containerd, "ctr --namespace k8s.io images ls" shows its names and "images rm" removes them, and containerd forgets the image when it is restarted`;
  }),
} satisfies { readonly [operation: string]: Look };

/** `findLeft` describes what is left, if anything. */
function look(
  method: string,
  findLeft: (runtime: Runtime, looked: Looked) => Promise<string | undefined>,
): Look {
  return async (runtime, looked) => {
    let left: string | undefined;
    for (const pauseMs of [0, ...pausesMs]) {
      if (pauseMs > 0) await sleep(pauseMs);
      // Most runtimes report absence as an error. If the check fails, trust the runtime's reply.
      left = await findLeft(runtime, looked).catch(() => undefined);
      if (left === undefined) return;
    }
    throw new GatewayError("runtime_error", `${method} failed: the runtime reported success, but ${left}`);
  };
}
