/** The 43 RPCs of CRI v1, as `Service/Method` without the package. `schema.ts` checks them against the definition. */
export const rpcNames = [
  "RuntimeService/Version",
  "RuntimeService/RunPodSandbox",
  "RuntimeService/StopPodSandbox",
  "RuntimeService/RemovePodSandbox",
  "RuntimeService/PodSandboxStatus",
  "RuntimeService/ListPodSandbox",
  "RuntimeService/StreamPodSandboxes",
  "RuntimeService/CreateContainer",
  "RuntimeService/StartContainer",
  "RuntimeService/StopContainer",
  "RuntimeService/RemoveContainer",
  "RuntimeService/ListContainers",
  "RuntimeService/StreamContainers",
  "RuntimeService/ContainerStatus",
  "RuntimeService/UpdateContainerResources",
  "RuntimeService/ReopenContainerLog",
  "RuntimeService/ExecSync",
  "RuntimeService/Exec",
  "RuntimeService/Attach",
  "RuntimeService/PortForward",
  "RuntimeService/ContainerStats",
  "RuntimeService/ListContainerStats",
  "RuntimeService/StreamContainerStats",
  "RuntimeService/PodSandboxStats",
  "RuntimeService/ListPodSandboxStats",
  "RuntimeService/StreamPodSandboxStats",
  "RuntimeService/UpdateRuntimeConfig",
  "RuntimeService/Status",
  "RuntimeService/CheckpointContainer",
  "RuntimeService/CheckpointPod",
  "RuntimeService/RestorePod",
  "RuntimeService/GetContainerEvents",
  "RuntimeService/ListMetricDescriptors",
  "RuntimeService/ListPodSandboxMetrics",
  "RuntimeService/StreamPodSandboxMetrics",
  "RuntimeService/RuntimeConfig",
  "RuntimeService/UpdatePodSandboxResources",
  "ImageService/ListImages",
  "ImageService/StreamImages",
  "ImageService/ImageStatus",
  "ImageService/PullImage",
  "ImageService/RemoveImage",
  "ImageService/ImageFsInfo",
] as const;

export type RpcName = (typeof rpcNames)[number];

/** The method name: `StopContainer` for `RuntimeService/StopContainer`. */
export function methodOf(rpc: RpcName): string {
  return rpc.slice(rpc.indexOf("/") + 1);
}
