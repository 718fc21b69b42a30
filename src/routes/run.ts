/** A pod with one container, in one request. */
import { custom } from "./define.ts";
import { parametersFor } from "./parameters.ts";

export const run = {
  run: custom({
    id: "run",
    http: "POST /v1/run",
    uses: [
      "ImageService/ImageStatus",
      "ImageService/PullImage",
      "RuntimeService/ListPodSandbox",
      "RuntimeService/RunPodSandbox",
      "RuntimeService/CreateContainer",
      "RuntimeService/StartContainer",
      "RuntimeService/ContainerStatus",
      "RuntimeService/RemovePodSandbox",
    ],
    gatewayParams: parametersFor("run"),
    body: true,
    allow: "run",
    summary: "Run an image: pull it, make a pod with one container, and start it",
    success: 201,
    idempotent: true,
    location: "/v1/containers/{containerId}",
    progress: "run",
  }),
} as const;
