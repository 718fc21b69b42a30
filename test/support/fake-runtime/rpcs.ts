import {
  checkpointContainer,
  containerItems,
  containerStatusOf,
  createContainer,
  listContainers,
  removeContainer,
  reopenContainerLog,
  startContainer,
  stopContainer,
  updateContainerResources,
} from "./containers.ts";
import { daemonStatus, runtimeConfig, updateRuntimeConfig, version } from "./daemon.ts";
import { attach, exec, execSync, portForward } from "./exec.ts";
import { imageItems, imageStatus, listImages, pullImage, removeImage } from "./images.ts";
import type { ListImagesRequest, ListRequest } from "./messages.ts";
import {
  listPodSandbox,
  podItems,
  podSandboxStatus,
  removePodSandbox,
  runPodSandbox,
  stopPodSandbox,
  updatePodSandboxResources,
} from "./pods.ts";
import type { RpcName } from "./rpc-names.ts";
import {
  containerStats,
  containerStatsItems,
  imageFsInfo,
  listContainerStats,
  listMetricDescriptors,
  listPodSandboxMetrics,
  listPodSandboxStats,
  podMetricsItems,
  podSandboxStats,
  podStatsItems,
} from "./stats.ts";
import type { Handler, World } from "./world.ts";

/** No runtime serves these RPCs yet. The runtime profiles answer UNIMPLEMENTED, and tests override them. */
const unserved: Handler<object> = (_world, _request, { rpc }) => {
  throw new Error(`Cannot serve ${rpc}: no runtime does; override it`);
};

/** Streams a list: one message with all items, then the end. */
function streamed<Request>(
  field: string,
  items: (world: World, request: Request) => object[],
): Handler<Request> {
  return async function* (world, request) {
    yield { [field]: items(world, request) };
  };
}

/** The default handlers, a complete small runtime. `never` because each reads its own request type. */
export const handlers: { readonly [rpc in RpcName]: Handler<never> } = {
  "RuntimeService/Version": version,
  "RuntimeService/RunPodSandbox": runPodSandbox,
  "RuntimeService/StopPodSandbox": stopPodSandbox,
  "RuntimeService/RemovePodSandbox": removePodSandbox,
  "RuntimeService/PodSandboxStatus": podSandboxStatus,
  "RuntimeService/ListPodSandbox": listPodSandbox,
  "RuntimeService/StreamPodSandboxes": streamed<ListRequest>("podSandboxes", podItems),
  "RuntimeService/CreateContainer": createContainer,
  "RuntimeService/StartContainer": startContainer,
  "RuntimeService/StopContainer": stopContainer,
  "RuntimeService/RemoveContainer": removeContainer,
  "RuntimeService/ListContainers": listContainers,
  "RuntimeService/StreamContainers": streamed<ListRequest>("containers", containerItems),
  "RuntimeService/ContainerStatus": containerStatusOf,
  "RuntimeService/UpdateContainerResources": updateContainerResources,
  "RuntimeService/ReopenContainerLog": reopenContainerLog,
  "RuntimeService/ExecSync": execSync,
  "RuntimeService/Exec": exec,
  "RuntimeService/Attach": attach,
  "RuntimeService/PortForward": portForward,
  "RuntimeService/ContainerStats": containerStats,
  "RuntimeService/ListContainerStats": listContainerStats,
  "RuntimeService/StreamContainerStats": streamed<ListRequest>("containerStats", containerStatsItems),
  "RuntimeService/PodSandboxStats": podSandboxStats,
  "RuntimeService/ListPodSandboxStats": listPodSandboxStats,
  "RuntimeService/StreamPodSandboxStats": streamed<ListRequest>("podSandboxStats", podStatsItems),
  "RuntimeService/UpdateRuntimeConfig": updateRuntimeConfig,
  "RuntimeService/Status": daemonStatus,
  "RuntimeService/CheckpointContainer": checkpointContainer,
  "RuntimeService/CheckpointPod": unserved,
  "RuntimeService/RestorePod": unserved,
  "RuntimeService/GetContainerEvents": (world, _request, { signal }) => world.events.subscribe(signal),
  "RuntimeService/ListMetricDescriptors": listMetricDescriptors,
  "RuntimeService/ListPodSandboxMetrics": listPodSandboxMetrics,
  "RuntimeService/StreamPodSandboxMetrics": streamed<object>("podSandboxMetrics", podMetricsItems),
  "RuntimeService/RuntimeConfig": runtimeConfig,
  "RuntimeService/UpdatePodSandboxResources": updatePodSandboxResources,
  "ImageService/ListImages": listImages,
  "ImageService/StreamImages": streamed<ListImagesRequest>("images", imageItems),
  "ImageService/ImageStatus": imageStatus,
  "ImageService/PullImage": pullImage,
  "ImageService/RemoveImage": removeImage,
  "ImageService/ImageFsInfo": imageFsInfo,
};
