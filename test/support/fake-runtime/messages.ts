/**
 * The fields of CRI messages that the fake reads, in canonical proto JSON. Fields that it only stores and returns
 * (mounts, port mappings, security profiles) are not declared, but the objects contain them.
 */

export interface StringMap {
  [key: string]: string;
}

export interface PodSandboxMetadata {
  name?: string;
  uid?: string;
  namespace?: string;
  attempt?: number;
}

export interface NamespaceOption {
  network?: string;
  pid?: string;
  ipc?: string;
  targetId?: string;
}

export interface LinuxContainerResources {
  cpuPeriod?: string;
  cpuQuota?: string;
  cpuShares?: string;
  memoryLimitInBytes?: string;
  cpusetCpus?: string;
}

export interface PortMapping {
  protocol?: string;
  containerPort?: number;
  hostPort?: number;
  hostIp?: string;
}

export interface PodSandboxConfig {
  metadata?: PodSandboxMetadata;
  hostname?: string;
  logDirectory?: string;
  portMappings?: PortMapping[];
  labels?: StringMap;
  annotations?: StringMap;
  linux?: {
    cgroupParent?: string;
    sysctls?: StringMap;
    securityContext?: { namespaceOptions?: NamespaceOption };
    resources?: LinuxContainerResources;
  };
}

export interface ImageSpec {
  image?: string;
  annotations?: StringMap;
  userSpecifiedImage?: string;
  runtimeHandler?: string;
  imageRef?: string;
}

export interface ContainerConfig {
  metadata?: { name?: string; attempt?: number };
  image?: ImageSpec;
  command?: string[];
  args?: string[];
  /** `value` is base64, because its CRI type is bytes. */
  envs?: { key?: string; value?: string }[];
  mounts?: { containerPath?: string; hostPath?: string; image?: ImageSpec; propagation?: string }[];
  devices?: { containerPath?: string; hostPath?: string }[];
  labels?: StringMap;
  annotations?: StringMap;
  logPath?: string;
  tty?: boolean;
  stdin?: boolean;
  stdinOnce?: boolean;
  linux?: {
    resources?: LinuxContainerResources;
    securityContext?: {
      privileged?: boolean;
      namespaceOptions?: NamespaceOption;
      capabilities?: { addCapabilities?: string[]; dropCapabilities?: string[] };
      seccomp?: { profileType?: string; localhostRef?: string };
    };
  };
  stopSignal?: string;
}

export interface PodRequest {
  podSandboxId?: string;
  verbose?: boolean;
}

export interface ContainerRequest {
  containerId?: string;
  verbose?: boolean;
}

export interface RunPodSandboxRequest {
  config?: PodSandboxConfig;
  runtimeHandler?: string;
}

export interface CreateContainerRequest {
  podSandboxId?: string;
  config?: ContainerConfig;
  sandboxConfig?: PodSandboxConfig;
}

export interface StopContainerRequest extends ContainerRequest {
  /** In seconds. */
  timeout?: string;
}

export interface UpdateContainerResourcesRequest extends ContainerRequest {
  linux?: LinuxContainerResources;
  annotations?: StringMap;
}

export interface ExecSyncRequest extends ContainerRequest {
  cmd?: string[];
  /** In seconds; 0 or absent means no timeout. */
  timeout?: string;
}

/** The request of Exec and Attach. */
export interface StreamsRequest extends ContainerRequest {
  cmd?: string[];
  tty?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
}

export interface PortForwardRequest extends PodRequest {
  port?: number[];
}

/** The filters of all lists. Each list uses its own part. */
export interface ListRequest {
  filter?: {
    id?: string;
    state?: { state?: string };
    podSandboxId?: string;
    labelSelector?: StringMap;
  };
}

export interface ListImagesRequest {
  filter?: { image?: ImageSpec };
}

export interface ImageRequest {
  image?: ImageSpec;
  verbose?: boolean;
}

export interface PullImageRequest extends ImageRequest {
  auth?: { username?: string; password?: string; auth?: string };
  sandboxConfig?: PodSandboxConfig;
}

export interface UpdateRuntimeConfigRequest {
  runtimeConfig?: { networkConfig?: object };
}

export interface UpdatePodSandboxResourcesRequest extends PodRequest {
  resources?: LinuxContainerResources;
}
