/**
 * The behaviour of one runtime where runtimes differ. Common behaviour is in the other files of this folder.
 *
 * Refusals return the error for a request, in the runtime's own words, or `undefined` to proceed. A refusal may throw a
 * DaemonCrash if the request crashes the runtime.
 */
import type { GrpcFault } from "./fault.ts";
import type {
  ContainerConfig,
  CreateContainerRequest,
  ExecSyncRequest,
  PodSandboxConfig,
  RunPodSandboxRequest,
  StreamsRequest,
  UpdateContainerResourcesRequest,
  UpdateRuntimeConfigRequest,
} from "./messages.ts";
import type { ImageReference } from "./references.ts";
import type { RegistryFault } from "./registry-faults.ts";
import type { RpcName } from "./rpc-names.ts";
import type { FakeContainer, FakeImage, FakePod } from "./state.ts";

export const mannerNames = [
  "containerd-1.6",
  "containerd-1.7",
  "containerd-2.1",
  "cri-o",
  "cri-dockerd",
] as const;

export type MannerName = (typeof mannerNames)[number];

type Answer = GrpcFault | undefined;

/** Why a pull fails at the registry. */
export type PullFailure =
  | RegistryFault
  | "absent"
  | "no credentials"
  | "bad credentials"
  | "refused"
  | "no such host";

export interface Refusals {
  /** Unknown pod or container id. `undefined` if the RPC succeeds without doing anything. */
  absent(rpc: RpcName, id: string): Answer;
  /** Empty id. */
  empty(rpc: RpcName): GrpcFault;
  /** A prefix that matches several ids. */
  ambiguous(rpc: RpcName, prefix: string): GrpcFault;

  /** Checks the shape of the request before any lookup. */
  runPod(request: RunPodSandboxRequest): Answer;
  /** The pod is created but cannot start. */
  startPod(config: PodSandboxConfig): Answer;
  podNameTaken(pod: FakePod): GrpcFault | "the same pod";
  unknownHandler(handler: string): GrpcFault;
  podStats(pod: FakePod): Answer;
  portForward(pod: FakePod): Answer;

  /** Checks the shape of the request before the pod is looked up. */
  createContainerShape(request: CreateContainerRequest): Answer;
  /** Checks the request once its pod is known. */
  createContainer(request: CreateContainerRequest, pod: FakePod): Answer;
  containerNameTaken(container: FakeContainer): GrpcFault | "the same container";
  imageMissing(asked: string): GrpcFault;
  /** The first process cannot be executed. */
  commandMissing(command: string, containerId: string): { at: "create" | "start"; fault: GrpcFault };
  startContainer(container: FakeContainer, pod: FakePod | undefined): Answer;
  updateResourcesShape(request: UpdateContainerResourcesRequest): Answer;
  updateResources(container: FakeContainer): Answer;
  reopenLog(container: FakeContainer): Answer;
  containerStats(container: FakeContainer): Answer;
  checkpoint(container: FakeContainer): Answer;

  /** Depends on the state of the container. */
  exec(container: FakeContainer): Answer;
  attach(container: FakeContainer): Answer;
  execSync(container: FakeContainer, request: ExecSyncRequest): Answer;
  /** Depends on the requested streams. */
  streams(rpc: RpcName, request: StreamsRequest): Answer;
  execTimeout(seconds: number): GrpcFault | "exit code -1";
  execCommandMissing(command: string): GrpcFault | { stdout: string; exitCode: number };

  /** A request without an image. */
  imageSpecMissing(rpc: RpcName): Answer;
  badReference(rpc: RpcName, asked: string): Answer;
  /** Status or removal of a missing image. */
  imageAbsent(asked: string, reference: ImageReference | undefined): Answer;
  removeImageInUse(image: FakeImage, user: FakeContainer): Answer;
  pull(failure: PullFailure, reference: ImageReference): GrpcFault;
  updateRuntimeConfig(request: UpdateRuntimeConfigRequest): Answer;
}

export interface Habits {
  readonly listOrder: "random" | "oldest first" | "newest first";
  /** Whether the filter of ListContainers accepts a prefix of the pod id. */
  readonly podFilterTakesPrefix: boolean;
  readonly listImagesFilters: boolean;
  /** Formats an image id from its digits. */
  imageId(digits: string): string;
  /** Formats a tag or digest. Docker omits its own registry. */
  imageName(name: string): string;
  /** `image_ref` in the response of PullImage. */
  pulledRef(image: FakeImage): string;
  /** `image_ref` in ContainerStatus; `listImageRef` is the one in ListContainers. */
  statusImageRef(image: FakeImage): string;
  listImageRef(image: FakeImage): string;
  /** Whether ListContainers and ContainerStatus have `image_id`. */
  readonly tellsImageId: boolean;
  readonly tellsUser: boolean;
  /**
   * The accepted forms of an image id: with or without `sha256:`; only without; or with it if the id is complete and
   * without it if it is shortened.
   */
  readonly imageIds: "both" | "bare" | "whole with prefix";
  /** Whether images report that they are pinned. */
  readonly tellsPinned: boolean;
  readonly removesImagesByName: boolean;
  /** Whether pulls of one reference with the same credentials become one, which ends when its first caller leaves. */
  readonly mergesPulls: boolean;

  /** The value of a time that is not set yet. */
  readonly zeroTimeNanos: bigint | undefined;
  readonly keepsIpOfStoppedPods: boolean;
  readonly hostNetworkHasIp: boolean;
  /** What a create does to a stopped pod, or a container that is not running, with the same name. */
  readonly nameConflict: "refused" | "removes";
  /** What happens to a second create of a name during the first: rejected, creates a duplicate, or never answered. */
  readonly concurrentCreates: "refused" | "doubled" | "hang";
  /** Whether a pod that failed to start remains, not ready. */
  readonly keepsFailedPods: boolean;
  /** Whether PodSandboxStatus always includes the container statuses and the timestamp. */
  readonly podStatusHasContainers: boolean;
  /** Labels as stored, with reserved ones added or dropped. */
  podLabels(config: PodSandboxConfig): { [key: string]: string };
  containerLabels(config: ContainerConfig): { [key: string]: string };
  logPath(pod: FakePod, config: ContainerConfig, containerId: string): string;

  /** How long a container may ignore SIGTERM in StopPodSandbox: no time at all, or until 2 s before the deadline. */
  readonly podStopGrace: "none" | "until the deadline";
  /** Whether StopContainer continues after its client gives up. */
  readonly stopOutlivesClient: boolean;
  /** Whether the process of ExecSync is killed when its client gives up or the timeout expires. */
  readonly execDiesWithClient: boolean;
  /** How long ExecSync waits for a background child that holds its output open. */
  readonly backgroundWaitMs: number;
  /** How ExecSync treats output over the limit: rejects it, truncates it, or fails with a short write. */
  readonly execOutput: "refused" | "cut" | "short write";
  /** Whether a container reports its resources after an update. */
  readonly tellsResources: boolean;

  readonly events: "none" | "stolen" | "blocking" | "serial";
  readonly eventsOfPods: ReadonlySet<"CREATED" | "STARTED" | "STOPPED" | "DELETED">;
  readonly eventsHaveContainers: boolean;
  readonly deletedPodHasStatus: boolean;
  /** Whether a restart ends the event stream with OK instead of dropping the connection. */
  readonly restartEndsEvents: boolean;

  streamUrl(kind: StreamKind, token: string, port: number): string;
}

export type StreamKind = "exec" | "attach" | "portforward";

export interface Manner {
  readonly name: MannerName;
  readonly family: "containerd" | "cri-o" | "cri-dockerd";
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  /** Only CRI-O accepts and sends more than 16 MiB. */
  readonly messageLimitBytes: number;
  /** RPCs that it does not serve. The error text depends on whether its proto already has the name. */
  readonly unimplemented: ReadonlyMap<RpcName, "known" | "newer">;
  readonly handlers: readonly string[];
  readonly refuse: Refusals;
  readonly habits: Habits;
}
