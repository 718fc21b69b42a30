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
  /**
   * How a caller finds out whether the call was carried out when its answer was lost, as the end of a sentence.
   * Given exactly for calls whose repetition does something else, or fails. Callers may repeat all others.
   */
  readonly lookWith?: string;
}

const second = 1000;
const minute = 60 * second;

const read: CallRule = { deadlineMs: 10 * second, retry: true };
const lists: CallRule = { deadlineMs: 30 * second, retry: true };
const idempotent: CallRule = { deadlineMs: 2 * minute, retry: true };
/** Sets what the caller names: a repetition sets the same again. */
const mutation: CallRule = { deadlineMs: 2 * minute };
const lookForPod = "look for the pod's name in GET /v1/pods";
const lookForCheckpoint = "look on the node for the file that the request names";
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
  "RuntimeService/RunPodSandbox": { deadlineMs: 4 * minute, lookWith: lookForPod },
  "RuntimeService/StopPodSandbox": idempotent,
  "RuntimeService/RemovePodSandbox": idempotent,
  "RuntimeService/UpdatePodSandboxResources": mutation,
  "RuntimeService/PodSandboxStats": read,
  "RuntimeService/ListPodSandboxStats": lists,
  "RuntimeService/StreamPodSandboxStats": stream,
  "RuntimeService/ListPodSandboxMetrics": lists,
  "RuntimeService/StreamPodSandboxMetrics": stream,
  "RuntimeService/ListMetricDescriptors": read,
  "RuntimeService/CheckpointPod": { deadlineMs: 10 * minute, lookWith: lookForCheckpoint },
  "RuntimeService/RestorePod": { deadlineMs: 10 * minute, lookWith: lookForPod },

  "RuntimeService/ListContainers": lists,
  "RuntimeService/StreamContainers": stream,
  "RuntimeService/ContainerStatus": read,
  "RuntimeService/CreateContainer": {
    deadlineMs: 4 * minute,
    lookWith: "look for the container's name in GET /v1/containers",
  },
  "RuntimeService/StartContainer": {
    ...mutation,
    lookWith: "look at the container's state with GET /v1/containers/{id}",
  },
  "RuntimeService/StopContainer": { ...idempotent, timeoutField: "timeout" },
  "RuntimeService/RemoveContainer": idempotent,
  "RuntimeService/UpdateContainerResources": mutation,
  "RuntimeService/ContainerStats": read,
  "RuntimeService/ListContainerStats": lists,
  "RuntimeService/StreamContainerStats": stream,
  "RuntimeService/ReopenContainerLog": mutation,
  "RuntimeService/CheckpointContainer": { deadlineMs: 10 * minute, lookWith: lookForCheckpoint },
  "RuntimeService/GetContainerEvents": stream,

  // Runtimes end the command at its timeout. A second later no answer is waited for any more.
  "RuntimeService/ExecSync": {
    deadlineMs: second,
    timeoutField: "timeout",
    lookWith: "look for what the command does: it may have run, or run still",
  },
  // These three give out a URL. Nothing happens before a client connects to it.
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
