/**
 * What is known of each RPC besides its messages, one row each: how long it may take, whether it may be repeated, the
 * state that it needs, what it creates, stops or removes, and how its reply is verified.
 *
 * A row is data. What a word in it means is implemented once, in the file that its column names.
 */
import type { PodSandboxState } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";

export type ContainerState = NonNullable<
  Methods["RuntimeService/ContainerStatus"]["response"]["status"]
>["state"];

/** How a reply that says OK is verified; `runtimes/verify-reply.ts` has a check for each. */
export type Verification =
  | "newPod"
  | "newContainer"
  | "commandOutput"
  | "containerStats"
  | "containerStopped"
  | "podStopped"
  | "containerRemoved"
  | "podRemoved"
  | "imageRemoved";

export interface RpcRule {
  /** Milliseconds until the gateway gives up. */
  readonly deadlineMs: number;
  /** The request's own timeout field, in seconds; the deadline is extended by it. */
  readonly timeoutField?: string;
  /** The request sets no limit with a timeout of 0. */
  readonly unlimitedAtZero?: true;
  /** May be sent again while the runtime is unavailable: reads, and what CRI documents as idempotent. */
  readonly retry?: true;
  /**
   * How a caller finds out whether the call was carried out when its reply was lost, as the end of a sentence.
   * Given exactly for calls whose repetition does something else, or fails. Callers may repeat all others.
   */
  readonly lookWith?: string;
  /** States that the request's container must be in (`runtimes/translate-error.ts`). */
  readonly containerStates?: readonly ContainerState[];
  /** The state that the request's pod must be in (`runtimes/translate-error.ts`). */
  readonly podState?: PodSandboxState;
  /**
   * When that state is known. `before`: it is read before the call, because some runtime would go on regardless: CRI-O
   * runs a command in a container that was not started, cri-dockerd starts an exited one again, containerd changes
   * the resources of one that will never run again. `recalled`: it comes with the pod's config, which is read anyway.
   * Absent: all runtimes refuse, or the reply gives it away, so it is read after a failure.
   */
  readonly stateKnown?: "before" | "recalled";
  /** Starts the request's container. */
  readonly starts?: true;
  /**
   * Stops containers without a grace in the request (`runtimes/stop-first.ts`). `must`: fails when one of them cannot
   * be stopped. `may`: goes on.
   */
  readonly stopsContainers?: "must" | "may";
  /** Stops the request's container, which may end by itself meanwhile (`runtimes/caller-interceptors.ts`). */
  readonly stopsOne?: true;
  /** Removes this (`runtimes/caller-interceptors.ts`, `runtimes/pod-cgroup.ts`). */
  readonly removes?: "pod" | "container";
  /** Creates this, by a name that no other may have (`runtimes/safe-creates.ts`, `runtimes/free-host-ports.ts`). */
  readonly creates?: "pod" | "container";
  /** Makes the cgroup of a pod, which must go if the call fails (`runtimes/pod-cgroup.ts`). */
  readonly makesCgroup?: true;
  /** Runs a command whose timeout the runtime may not keep (`runtimes/exec-timeout.ts`). */
  readonly runsCommand?: true;
  /** Its reply grows with the number of pods, containers or images (`runtimes/list-limit.ts`). */
  readonly grows?: true;
  readonly verify?: Verification;
}

const second = 1000;
const minute = 60 * second;

const read: RpcRule = { deadlineMs: 10 * second, retry: true };
const list: RpcRule = { deadlineMs: 30 * second, retry: true, grows: true };
const idempotent: RpcRule = { deadlineMs: 2 * minute, retry: true };
/** Sets what the caller names: a repetition sets the same again. */
const mutation: RpcRule = { deadlineMs: 2 * minute };
const lookForPod = "look for the pod's name in GET /v1/pods";
const lookForCheckpoint = "look on the node for the file that the request names";
/** A stream has no deadline: it ends with its reader. */
const stream: RpcRule = { deadlineMs: Number.POSITIVE_INFINITY };
const listStream: RpcRule = { ...stream, grows: true };
const running: Pick<RpcRule, "containerStates"> = { containerStates: ["CONTAINER_RUNNING"] };
const readyPod: Pick<RpcRule, "podState"> = { podState: "SANDBOX_READY" };

export const rpcRules: { readonly [R in Rpc]: RpcRule } = {
  "RuntimeService/Version": read,
  "RuntimeService/Status": read,
  "RuntimeService/RuntimeConfig": read,
  "RuntimeService/UpdateRuntimeConfig": mutation,

  "RuntimeService/ListPodSandbox": list,
  "RuntimeService/StreamPodSandboxes": listStream,
  "RuntimeService/PodSandboxStatus": read,
  "RuntimeService/RunPodSandbox": {
    deadlineMs: 4 * minute,
    lookWith: lookForPod,
    creates: "pod",
    makesCgroup: true,
    verify: "newPod",
  },
  "RuntimeService/StopPodSandbox": { ...idempotent, stopsContainers: "must", verify: "podStopped" },
  "RuntimeService/RemovePodSandbox": {
    ...idempotent,
    stopsContainers: "may",
    removes: "pod",
    verify: "podRemoved",
  },
  "RuntimeService/UpdatePodSandboxResources": { ...mutation, ...readyPod, stateKnown: "before" },
  "RuntimeService/PodSandboxStats": { ...read, ...readyPod, stateKnown: "before" },
  "RuntimeService/ListPodSandboxStats": list,
  "RuntimeService/StreamPodSandboxStats": listStream,
  "RuntimeService/ListPodSandboxMetrics": list,
  "RuntimeService/StreamPodSandboxMetrics": listStream,
  "RuntimeService/ListMetricDescriptors": read,
  "RuntimeService/CheckpointPod": { deadlineMs: 10 * minute, lookWith: lookForCheckpoint },
  "RuntimeService/RestorePod": { deadlineMs: 10 * minute, lookWith: lookForPod, creates: "pod" },

  "RuntimeService/ListContainers": list,
  "RuntimeService/StreamContainers": listStream,
  "RuntimeService/ContainerStatus": read,
  "RuntimeService/CreateContainer": {
    deadlineMs: 4 * minute,
    lookWith: "look for the container's name in GET /v1/containers",
    ...readyPod,
    stateKnown: "recalled",
    creates: "container",
    verify: "newContainer",
  },
  "RuntimeService/StartContainer": {
    ...mutation,
    lookWith: "look at the container's state with GET /v1/containers/{id}",
    containerStates: ["CONTAINER_CREATED"],
    stateKnown: "before",
    starts: true,
  },
  "RuntimeService/StopContainer": {
    ...idempotent,
    timeoutField: "timeout",
    stopsOne: true,
    verify: "containerStopped",
  },
  "RuntimeService/RemoveContainer": {
    ...idempotent,
    stopsContainers: "may",
    removes: "container",
    verify: "containerRemoved",
  },
  "RuntimeService/UpdateContainerResources": {
    ...mutation,
    containerStates: ["CONTAINER_CREATED", "CONTAINER_RUNNING"],
    stateKnown: "before",
  },
  "RuntimeService/ContainerStats": { ...read, ...running, verify: "containerStats" },
  "RuntimeService/ListContainerStats": list,
  "RuntimeService/StreamContainerStats": listStream,
  "RuntimeService/ReopenContainerLog": { ...mutation, ...running, stateKnown: "before" },
  "RuntimeService/CheckpointContainer": {
    deadlineMs: 10 * minute,
    lookWith: lookForCheckpoint,
    ...running,
    stateKnown: "before",
  },
  "RuntimeService/GetContainerEvents": stream,

  // Runtimes end the command at its timeout. A second later no answer is waited for any more.
  "RuntimeService/ExecSync": {
    deadlineMs: second,
    timeoutField: "timeout",
    unlimitedAtZero: true,
    lookWith: "look for what the command does: it may have run, or run still",
    ...running,
    stateKnown: "before",
    runsCommand: true,
    verify: "commandOutput",
  },
  // These three give out a URL. Nothing happens before a client connects to it.
  "RuntimeService/Exec": { deadlineMs: 10 * second, ...running, stateKnown: "before" },
  "RuntimeService/Attach": { deadlineMs: 10 * second, ...running, stateKnown: "before" },
  "RuntimeService/PortForward": { deadlineMs: 10 * second, ...readyPod, stateKnown: "before" },

  "ImageService/ListImages": list,
  "ImageService/StreamImages": listStream,
  "ImageService/ImageStatus": read,
  "ImageService/PullImage": { deadlineMs: 30 * minute },
  "ImageService/RemoveImage": { ...idempotent, verify: "imageRemoved" },
  "ImageService/ImageFsInfo": read,
};

/**
 * Milliseconds that a call may take: the rule's own, and the time that the request itself asks for.
 * An ExecSync without a timeout, as `--exec-max=0` lets it go out, runs as long as its command does.
 */
export function deadlineOf(rpc: Rpc, request: { readonly [field: string]: unknown }): number {
  const rule = rpcRules[rpc];
  if (!rule.timeoutField) return rule.deadlineMs;
  const seconds = Number(request[rule.timeoutField] ?? 0);
  if (rule.unlimitedAtZero && seconds <= 0) return Number.POSITIVE_INFINITY;
  return rule.deadlineMs + Math.max(0, seconds) * second;
}
