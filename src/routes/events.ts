/** What happens on the node. */
import { stream } from "./define.ts";
import { parametersFor } from "./parameters.ts";

export const events = {
  listEvents: stream({
    id: "listEvents",
    http: "GET /v1/events",
    uses: [
      "RuntimeService/Version",
      "RuntimeService/ListPodSandbox",
      "RuntimeService/ListContainers",
      "RuntimeService/ContainerStatus",
      "RuntimeService/GetContainerEvents",
      "ImageService/ListImages",
    ],
    gatewayParams: parametersFor("listEvents"),
    allow: "read:events",
    summary: "List and watch events of pods, containers and images",
  }),
} as const;
