/** WebSocket sessions: interactive commands and port forwarding, in the protocols of Kubernetes clients. */
import { custom, resume, session } from "./define.ts";
import { parametersFor } from "./parameters.ts";

const channels = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
] as const;

export const sessions = [
  session({
    id: "execContainer",
    rpc: "RuntimeService/Exec",
    http: "GET /v1/containers/{containerId}/exec",
    path: { containerId: "containerId" },
    query: { command: "cmd", stdin: "stdin", stdout: "stdout", stderr: "stderr", tty: "tty" },
    required: ["command"],
    gatewayParams: parametersFor("execContainer"),
    subprotocols: channels,
    allow: "exec",
    summary: "Run a command in a container, interactively",
  }),
  session({
    id: "attachContainer",
    rpc: "RuntimeService/Attach",
    http: "GET /v1/containers/{containerId}/attach",
    path: { containerId: "containerId" },
    query: { stdin: "stdin", stdout: "stdout", stderr: "stderr", tty: "tty" },
    gatewayParams: parametersFor("attachContainer"),
    subprotocols: channels,
    allow: "exec",
    summary: "Attach to a container's main process",
  }),
  session({
    id: "forwardPorts",
    rpc: "RuntimeService/PortForward",
    http: "GET /v1/pods/{podSandboxId}/portforward",
    path: { podSandboxId: "podSandboxId" },
    query: { ports: "port" },
    required: ["ports"],
    gatewayParams: parametersFor("forwardPorts"),
    subprotocols: ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"],
    allow: "forward",
    summary: "Connect to ports of a pod",
  }),
  resume({
    id: "resumeSession",
    http: "GET /v1/sessions/{sessionId}/connect",
    uses: ["RuntimeService/ListContainers", "RuntimeService/ListPodSandbox"],
    path: { sessionId: "sessionId" },
    gatewayParams: parametersFor("resumeSession"),
    subprotocols: channels,
    allow: "exec",
    summary: "Go on with a kept session",
  }),
] as const;

/** The sessions that are kept for a caller. */
export const keptSessions = {
  listSessions: custom({
    id: "listSessions",
    http: "GET /v1/sessions",
    uses: [],
    allow: "authenticated",
    summary: "List the kept sessions of the caller",
    success: 200,
  }),
  endSession: custom({
    id: "endSession",
    http: "DELETE /v1/sessions/{sessionId}",
    uses: [],
    path: { sessionId: "sessionId" },
    allow: "authenticated",
    summary: "End a kept session",
    success: 200,
  }),
} as const;
