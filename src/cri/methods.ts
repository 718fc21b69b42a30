/**
 * What the gateway knows of each RPC besides its messages: how long it may take, and whether it
 * may be repeated.
 */
import type { Rpc } from "../gen/methods.ts";

export interface CallRule {
  /** Milliseconds until the gateway gives up. */
  readonly deadlineMs: number;
  /** The request's own timeout field, in seconds; the deadline is extended by it. */
  readonly timeoutField?: string;
  /** May be sent again while the runtime is unavailable: reads, and what CRI documents as idempotent. */
  readonly retry?: true;
}

const second = 1000;
const minute = 60 * second;

const read: CallRule = { deadlineMs: 10 * second, retry: true };
const lists: CallRule = { deadlineMs: 30 * second, retry: true };
const idempotent: CallRule = { deadlineMs: 2 * minute, retry: true };
const mutation: CallRule = { deadlineMs: 2 * minute };
/** A stream has no deadline: it ends with its reader. */
const stream: CallRule = { deadlineMs: Number.POSITIVE_INFINITY };

export const callRules: { readonly [R in Rpc]: CallRule } = {
  "RuntimeService/Version": read,
  "RuntimeService/Status": read,
  "RuntimeService/RuntimeConfig": read,
  "RuntimeService/UpdateRuntimeConfig": mutation,

  "RuntimeService/ListPodSandbox": lists,
  "RuntimeService/StreamPodSandboxes": stream,
  "RuntimeService/PodSandboxStatus": read,
  "RuntimeService/RunPodSandbox": { deadlineMs: 4 * minute },
  "RuntimeService/StopPodSandbox": idempotent,
  "RuntimeService/RemovePodSandbox": idempotent,
  "RuntimeService/UpdatePodSandboxResources": mutation,
  "RuntimeService/PodSandboxStats": read,
  "RuntimeService/ListPodSandboxStats": lists,
  "RuntimeService/StreamPodSandboxStats": stream,
  "RuntimeService/ListPodSandboxMetrics": lists,
  "RuntimeService/StreamPodSandboxMetrics": stream,
  "RuntimeService/ListMetricDescriptors": read,
  "RuntimeService/CheckpointPod": { deadlineMs: 10 * minute },
  "RuntimeService/RestorePod": { deadlineMs: 10 * minute },

  "RuntimeService/ListContainers": lists,
  "RuntimeService/StreamContainers": stream,
  "RuntimeService/ContainerStatus": read,
  "RuntimeService/CreateContainer": { deadlineMs: 4 * minute },
  "RuntimeService/StartContainer": mutation,
  "RuntimeService/StopContainer": { ...idempotent, timeoutField: "timeout" },
  "RuntimeService/RemoveContainer": idempotent,
  "RuntimeService/UpdateContainerResources": mutation,
  "RuntimeService/ContainerStats": read,
  "RuntimeService/ListContainerStats": lists,
  "RuntimeService/StreamContainerStats": stream,
  "RuntimeService/ReopenContainerLog": mutation,
  "RuntimeService/CheckpointContainer": { deadlineMs: 10 * minute },
  "RuntimeService/GetContainerEvents": stream,

  "RuntimeService/ExecSync": { deadlineMs: 20 * second, timeoutField: "timeout" },
  "RuntimeService/Exec": { deadlineMs: 10 * second },
  "RuntimeService/Attach": { deadlineMs: 10 * second },
  "RuntimeService/PortForward": { deadlineMs: 10 * second },

  "ImageService/ListImages": lists,
  "ImageService/StreamImages": stream,
  "ImageService/ImageStatus": read,
  "ImageService/PullImage": { deadlineMs: 30 * minute },
  "ImageService/RemoveImage": idempotent,
  "ImageService/ImageFsInfo": read,
};

/**
 * Milliseconds that a call may take: the rule's own, and the time that the request itself asks for.
 * An ExecSync without a timeout, as `--exec-max=0` lets it go out, runs as long as its command does.
 */
export function deadlineOf(rpc: Rpc, request: { readonly [field: string]: unknown }): number {
  const rule = callRules[rpc];
  if (!rule.timeoutField) return rule.deadlineMs;
  const seconds = Number(request[rule.timeoutField] ?? 0);
  if (rpc === "RuntimeService/ExecSync" && seconds <= 0) return Number.POSITIVE_INFINITY;
  return rule.deadlineMs + Math.max(0, seconds) * second;
}
