/** Logs of containers, as lines. */
import { stream } from "./define.ts";
import { parametersFor } from "./parameters.ts";

const uses = [
  "RuntimeService/ListContainers",
  "RuntimeService/ListPodSandbox",
  "RuntimeService/ContainerStatus",
] as const;

export const logs = {
  getContainerLogs: stream({
    id: "getContainerLogs",
    http: "GET /v1/containers/{containerId}/logs",
    uses,
    path: { containerId: "containerId" },
    gatewayParams: parametersFor("getContainerLogs"),
    byDefault: "text",
    takesRemoved: true,
    allow: "logs",
    summary: "Read or follow a container's log",
  }),
  getPodLogs: stream({
    id: "getPodLogs",
    http: "GET /v1/pods/{podSandboxId}/logs",
    uses,
    path: { podSandboxId: "podSandboxId" },
    gatewayParams: parametersFor("getPodLogs"),
    byDefault: "text",
    takesRemoved: true,
    allow: "logs",
    summary: "Read or follow the logs of a pod's containers, merged by time",
  }),
  listLogs: stream({
    id: "listLogs",
    http: "GET /v1/logs",
    uses,
    gatewayParams: parametersFor("listLogs"),
    byDefault: "text",
    allow: "logs",
    summary: "Read or follow the logs of all matching containers, merged by time",
  }),
} as const;
