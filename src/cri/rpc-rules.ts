/**
 * The properties of each RPC besides its messages, one row each: its deadline, whether it may be repeated, the state
 * that it requires, what it creates, stops or removes, and how its reply is verified.
 *
 * A row is data. Each word in it is implemented once, in the file that its column names.
 */
import type { PodSandboxState } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";

export type ContainerState = NonNullable<
  Methods["RuntimeService/ContainerStatus"]["response"]["status"]
>["state"];

/** How a successful reply is verified; `runtimes/verify-reply.ts` has a check for each. */
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
  /** The request's own timeout field, in seconds; it is added to the deadline. */
  readonly timeoutField?: string;
  /** A timeout of 0 in the request means no limit. */
  readonly unlimitedAtZero?: true;
  /** May be sent again while the runtime is unavailable: reads, and what CRI documents as idempotent. */
  readonly retry?: true;
  /**
   * How a caller finds out whether the call took effect when its reply was lost, as the end of a sentence. Set exactly
   * for calls that do something else, or fail, when repeated. Callers may repeat all others.
   */
  readonly lookWith?: string;
  /** States that the request's container must be in (`runtimes/translate-error.ts`). */
  readonly containerStates?: readonly ContainerState[];
  /** The state that the request's pod must be in (`runtimes/translate-error.ts`). */
  readonly podState?: PodSandboxState;
  /**
   * When that state is read. `before`: before the call, because some runtime would proceed regardless: CRI-O runs a
   * command in a container that was not started, cri-dockerd restarts an exited one, containerd changes the resources
   * of one that will never run again. `recalled`: with the pod's config, which is read anyway. Absent: after a failure,
   * because all runtimes refuse, or the reply reveals it.
   */
  readonly stateKnown?: "before" | "recalled";
  /** Starts the request's container. */
  readonly starts?: true;
  /**
   * Stops containers without a grace period in the request (`runtimes/stop-first.ts`). `must`: fails if one of them
   * cannot be stopped. `may`: continues.
   */
  readonly stopsContainers?: "must" | "may";
  /** Stops the request's container, which may exit on its own meanwhile (`runtimes/caller-interceptors.ts`). */
  readonly stopsOne?: true;
  /** What it removes (`runtimes/caller-interceptors.ts`, `runtimes/pod-cgroup.ts`). */
  readonly removes?: "pod" | "container";
  /** What it creates, under a unique name (`runtimes/safe-creates.ts`, `runtimes/free-host-ports.ts`). */
  readonly creates?: "pod" | "container";
  /** Creates a pod's cgroup, which must be removed if the call fails (`runtimes/pod-cgroup.ts`). */
  readonly makesCgroup?: true;
  /** Runs a command whose timeout the runtime may not enforce (`runtimes/exec-timeout.ts`). */
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
/** Sets the values that the caller gives: repeating it sets the same values again. */
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

  // Runtimes end the command at its timeout. The gateway gives up a second later.
  "RuntimeService/ExecSync": {
    deadlineMs: second,
    timeoutField: "timeout",
    unlimitedAtZero: true,
    lookWith: "check the effects of the command: it may have run, or still be running",
    ...running,
    stateKnown: "before",
    runsCommand: true,
    verify: "commandOutput",
  },
  // These three return a URL. Nothing happens before a client connects to it.
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
 * The deadline of a call in milliseconds: the rule's own plus the timeout in the request. An ExecSync without a
 * timeout, which `--exec-max=0` allows, runs as long as its command does.
 */
export function deadlineOf(rpc: Rpc, request: { readonly [field: string]: unknown }): number {
  const rule = rpcRules[rpc];
  if (!rule.timeoutField) return rule.deadlineMs;
  const seconds = Number(request[rule.timeoutField] ?? 0);
  if (rule.unlimitedAtZero && seconds <= 0) return Number.POSITIVE_INFINITY;
  return rule.deadlineMs + Math.max(0, seconds) * second;
}
