/** How much memory one container has used at most, and how often that was too much. */
import type { Runtime } from "../cri/channel.ts";
import { type CgroupFiles, createCgroupFiles } from "./cgroup-files.ts";
import type { Collector } from "./collector.ts";
import { createTaskMetrics } from "./task-metrics.ts";

export interface MemoryHistory {
  /** In bytes, with the page cache. Undefined when nobody knows. */
  readonly peakBytes: number | undefined;
  /** Whether the peak is only the highest of some samples: the kernel forgets with the end of the container. */
  readonly isSampled: boolean;
  /** Processes that the kernel killed for lack of memory; undefined once the container has ended. */
  readonly oomKills: number | undefined;
}

/** `pid`: of the container's first process; 0 when it has none. */
export type ReadMemoryHistory = (containerId: string, pid: number) => Promise<MemoryHistory>;

export interface MemoryReaderOptions {
  readonly runtime: Pick<Runtime, "callNative" | "streamNative">;
  readonly usage: Pick<Collector, "highestMemory">;
  /** Default: those of this machine. */
  readonly cgroups?: CgroupFiles;
}

export function createMemoryReader({
  runtime,
  usage,
  cgroups = createCgroupFiles(),
}: MemoryReaderOptions): ReadMemoryHistory {
  const readTasks = createTaskMetrics(runtime);
  return async (containerId, pid) => {
    const cgroup = cgroups.find(containerId, pid);
    const counted =
      cgroup === undefined
        ? pid > 0
          ? (await readTasks()).get(containerId)
          : undefined
        : cgroups.read(cgroup);
    const { maxMemoryUsage, oomKills } = counted ?? {};
    const isSampled = maxMemoryUsage === undefined;
    return { peakBytes: maxMemoryUsage ?? usage.highestMemory(containerId), isSampled, oomKills };
  };
}
