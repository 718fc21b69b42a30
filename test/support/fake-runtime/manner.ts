/**
 * How one runtime answers where runtimes differ. Everything else is common to all and lies beside this file.
 *
 * Refusals give the error that a request gets, `undefined` where it goes on; their texts are the runtime's own.
 * A refusal may throw a DaemonCrash: the request kills this runtime.
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

/** Why a registry gives nothing. */
export type PullFailure =
  | RegistryFault
  | "absent"
  | "no credentials"
  | "bad credentials"
  | "refused"
  | "no such host";

export interface Refusals {
  /** The id of a pod or a container that is not there; `undefined` where the RPC does nothing and succeeds. */
  absent(rpc: RpcName, id: string): Answer;
  /** The empty id. */
  empty(rpc: RpcName): GrpcFault;
  /** A prefix that more than one id begins with. */
  ambiguous(rpc: RpcName, prefix: string): GrpcFault;

  /** The shape of the request, before anything is looked up. */
  runPod(request: RunPodSandboxRequest): Answer;
  /** The pod is made and cannot be started. */
  startPod(config: PodSandboxConfig): Answer;
  podNameTaken(pod: FakePod): GrpcFault | "the same pod";
  unknownHandler(handler: string): GrpcFault;
  podStats(pod: FakePod): Answer;
  portForward(pod: FakePod): Answer;

  /** The shape of the request, before the pod is looked up. */
  createContainerShape(request: CreateContainerRequest): Answer;
  /** The request, once its pod is known. */
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

  /** By the state of the container. */
  exec(container: FakeContainer): Answer;
  attach(container: FakeContainer): Answer;
  execSync(container: FakeContainer, request: ExecSyncRequest): Answer;
  /** By the streams asked for. */
  streams(rpc: RpcName, request: StreamsRequest): Answer;
  execTimeout(seconds: number): GrpcFault | "exit code -1";
  execCommandMissing(command: string): GrpcFault | { stdout: string; exitCode: number };

  /** A request without the image. */
  imageSpecMissing(rpc: RpcName): Answer;
  badReference(rpc: RpcName, asked: string): Answer;
  /** Status and removal of an image that is not there. */
  imageAbsent(asked: string, reference: ImageReference | undefined): Answer;
  removeImageInUse(image: FakeImage, user: FakeContainer): Answer;
  pull(failure: PullFailure, reference: ImageReference): GrpcFault;
  updateRuntimeConfig(request: UpdateRuntimeConfigRequest): Answer;
}

export interface Habits {
  readonly listOrder: "random" | "oldest first" | "newest first";
  /** Whether a list of containers takes a prefix of the pod's id. */
  readonly podFilterTakesPrefix: boolean;
  readonly listImagesFilters: boolean;
  /** The id of an image, from its digits. */
  imageId(digits: string): string;
  /** A tag or a digest as the runtime writes it: Docker leaves its own registry out. */
  imageName(name: string): string;
  /** `image_ref` of a pull's answer. */
  pulledRef(image: FakeImage): string;
  /** `image_ref` in ContainerStatus and in ListContainers. */
  statusImageRef(image: FakeImage): string;
  listImageRef(image: FakeImage): string;
  /** ListContainers and ContainerStatus have `image_id`. */
  readonly tellsImageId: boolean;
  readonly tellsUser: boolean;
  /**
   * How an image's id must be written: with or without `sha256:`, without, or with it when it is whole and without
   * when it is shortened.
   */
  readonly imageIds: "both" | "bare" | "whole with prefix";
  /** Whether images say that they are pinned. */
  readonly tellsPinned: boolean;
  readonly removesImagesByName: boolean;

  /** A time that has not come yet. */
  readonly zeroTimeNanos: bigint | undefined;
  readonly keepsIpOfStoppedPods: boolean;
  readonly hostNetworkHasIp: boolean;
  /** What a create whose name is taken does to a stopped pod, or to a container that does not run, of that name. */
  readonly nameConflict: "refused" | "removes";
  /** A create whose name another one under way has: refused, or it makes a second one, or is never answered. */
  readonly concurrentCreates: "refused" | "doubled" | "hang";
  /** A pod that could not be started stays behind, not ready. */
  readonly keepsFailedPods: boolean;
  /** PodSandboxStatus always carries the statuses of the containers and the time. */
  readonly podStatusHasContainers: boolean;
  /** Labels as kept: reserved ones added or dropped. */
  podLabels(config: PodSandboxConfig): { [key: string]: string };
  containerLabels(config: ContainerConfig): { [key: string]: string };
  logPath(pod: FakePod, config: ContainerConfig, containerId: string): string;

  /** How long a container may resist SIGTERM in StopPodSandbox: SIGKILL at once, or until 2 s before the deadline. */
  readonly podStopGrace: "none" | "until the deadline";
  /** StopContainer goes on when its client gives up. */
  readonly stopOutlivesClient: boolean;
  /** ExecSync's process is killed when its client gives up or the time is over. */
  readonly execDiesWithClient: boolean;
  /** How long ExecSync waits for a background child that holds its output. */
  readonly backgroundWaitMs: number;
  /** ExecSync's output: refused when it is longer, or cut, or an error. */
  readonly execOutput: "refused" | "cut" | "short write";
  /** A container that was updated tells its resources. */
  readonly tellsResources: boolean;

  readonly events: "none" | "stolen" | "blocking" | "serial";
  readonly eventsOfPods: ReadonlySet<"CREATED" | "STARTED" | "STOPPED" | "DELETED">;
  readonly eventsHaveContainers: boolean;
  readonly deletedPodHasStatus: boolean;
  /** A restart ends the event stream with OK instead of a dropped connection. */
  readonly restartEndsEvents: boolean;

  streamUrl(kind: StreamKind, token: string, port: number): string;
}

export type StreamKind = "exec" | "attach" | "portforward";

export interface Manner {
  readonly name: MannerName;
  readonly family: "containerd" | "cri-o" | "cri-dockerd";
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  /** CRI-O alone takes and sends more than 16 MiB. */
  readonly messageLimitBytes: number;
  /** RPCs that it does not serve. Its proto knows the name or is older: two texts. */
  readonly unimplemented: ReadonlyMap<RpcName, "known" | "newer">;
  readonly handlers: readonly string[];
  readonly refuse: Refusals;
  readonly habits: Habits;
}
