/** Usage of pods and containers at one moment. What neither the runtime nor the kernel reports is absent. */

/** Traffic of one network interface since it exists. */
export interface InterfaceUsage {
  readonly name: string;
  readonly receivedBytes: number;
  readonly receivedPackets?: number;
  readonly receiveErrors?: number;
  readonly receiveDropped?: number;
  readonly sentBytes: number;
  readonly sentPackets?: number;
  readonly sendErrors?: number;
  readonly sendDropped?: number;
}

/** What was read from and written to one block device. */
export interface DeviceUsage {
  /** As in `/dev/vda`, or `253:0` when the kernel has no name for it. */
  readonly name: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
}

/** Counters count from the start of what they measure. Sizes are in bytes, times in seconds. */
export interface Usage {
  /** When the CPU time was measured, in seconds since the epoch. */
  readonly cpuTime?: number;
  readonly cpuSeconds?: number;
  readonly userSeconds?: number;
  readonly systemSeconds?: number;
  readonly throttling?: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledSeconds: number;
  };
  /** In microseconds; absent without a limit. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly cpuShares?: number;
  readonly memoryUsage?: number;
  /** Usage without inactive file pages, which can be reclaimed at any time. */
  readonly workingSet?: number;
  readonly rss?: number;
  readonly cache?: number;
  readonly swap?: number;
  readonly maxMemoryUsage?: number;
  /** How often the limit was hit. */
  readonly memoryFailures?: number;
  /** Absent without a limit. */
  readonly memoryLimit?: number;
  readonly oomKills?: number;
  readonly processes?: number;
  readonly threads?: number;
  readonly devices?: readonly DeviceUsage[];
  /** For pods only, because containers share them. */
  readonly interfaces?: readonly InterfaceUsage[];
  /** The writable layer of a container. */
  readonly filesystem?: {
    readonly mountpoint: string;
    readonly usedBytes: number;
    readonly limitBytes?: number;
  };
}

export interface PodReading {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: { readonly [key: string]: string };
  readonly ready: boolean;
  readonly phase: Phase;
  /** In seconds since the epoch. */
  readonly createdAt: number;
  readonly ip?: string;
  /** The image of its sandbox. */
  readonly image?: string;
  /** Path of its cgroup, where the gateway sees it. */
  readonly cgroup?: string;
  readonly usage: Usage;
}

/** As in Kubernetes' `PodStatus.phase`. */
export type Phase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
export const phases: readonly Phase[] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];

/** A container that runs. */
export interface ContainerReading {
  readonly id: string;
  readonly name: string;
  readonly podSandboxId: string;
  /** Name of its pod. */
  readonly pod: string;
  readonly namespace: string;
  readonly labels: { readonly [key: string]: string };
  /** Undefined if its pod could not be read. */
  readonly podLabels: { readonly [key: string]: string } | undefined;
  readonly image: string;
  /** In seconds since the epoch; absent if the runtime does not report it. */
  readonly startedAt?: number;
  /** The CPU shares that were requested. */
  readonly requestedCpuShares?: number;
  readonly cgroup?: string;
  readonly usage: Usage;
}

/** All pods that are ready, and all containers that run. */
export interface NodeReading {
  /** In seconds since the epoch. */
  readonly time: number;
  /** Includes pods that are not ready. They have a phase, but no usage. */
  readonly pods: readonly PodReading[];
  readonly containers: readonly ContainerReading[];
}
