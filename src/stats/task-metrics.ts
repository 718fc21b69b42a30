/**
 * Reads containerd's own metrics of all tasks, in one call. They contain more than CRI's. For a gateway that cannot see
 * the node's cgroups, such as one in a container.
 */
import { createContainerdClient } from "../containerd/client.ts";
import { type CgroupMetrics, decodeMetrics } from "../containerd/metrics.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { CgroupV1Metrics, CgroupV2Metrics } from "../gen/containerd/messages.ts";
import { Malformed } from "../wire/read.ts";
import { present } from "./cgroup-files.ts";
import type { Usage } from "./usage.ts";

/** Returns usage by the id of a container or sandbox; empty if the runtime is not containerd. Never fails. */
export type ReadTaskMetrics = () => Promise<ReadonlyMap<string, Usage>>;

/** Short, because a reading can do without these metrics. */
const deadlineMs = 5000;

export function createTaskMetrics(runtime: Pick<Runtime, "callNative" | "streamNative">): ReadTaskMetrics {
  const client = createContainerdClient(runtime);
  return async () => {
    try {
      const { metrics } = await client.call("Tasks/Metrics", {}, { deadlineMs });
      return new Map(
        metrics.flatMap((metric) => {
          const decoded = decodeMetrics(metric);
          return decoded === undefined ? [] : [[metric.id, usageOf(decoded)] as const];
        }),
      );
    } catch (error) {
      if (error instanceof GatewayError || error instanceof Malformed) return new Map();
      throw error;
    }
  };
}

/** Omits the CPU time, because CRI's comes with the time of its sample. */
function usageOf(one: CgroupMetrics): Usage {
  return one.version === 1 ? usageOfVersion1(one.metrics) : usageOfVersion2(one.metrics);
}

function usageOfVersion1({ pids, cpu, memory, memoryOomControl }: CgroupV1Metrics): Usage {
  const usage = numberOf(memory?.usage?.usage);
  return present({
    userSeconds: numberOf(cpu?.usage?.user, 1e9),
    systemSeconds: numberOf(cpu?.usage?.kernel, 1e9),
    throttling: cpu?.throttling && {
      periods: Number(cpu.throttling.periods),
      throttledPeriods: Number(cpu.throttling.throttledPeriods),
      throttledSeconds: Number(cpu.throttling.throttledTime) / 1e9,
    },
    memoryUsage: usage,
    workingSet: usage === undefined ? undefined : Math.max(0, usage - Number(memory?.totalInactiveFile ?? 0)),
    rss: numberOf(memory?.totalRss),
    cache: numberOf(memory?.totalCache),
    maxMemoryUsage: numberOf(memory?.usage?.max),
    memoryFailures: numberOf(memory?.usage?.failcnt),
    memoryLimit: limitOf(memory?.usage?.limit),
    oomKills: numberOf(memoryOomControl?.oomKill),
    threads: numberOf(pids?.current),
  });
}

function usageOfVersion2({ pids, cpu, memory, memoryEvents }: CgroupV2Metrics): Usage {
  const usage = numberOf(memory?.usage);
  return present({
    userSeconds: numberOf(cpu?.userUsec, 1e6),
    systemSeconds: numberOf(cpu?.systemUsec, 1e6),
    throttling: cpu && {
      periods: Number(cpu.nrPeriods),
      throttledPeriods: Number(cpu.nrThrottled),
      throttledSeconds: Number(cpu.throttledUsec) / 1e6,
    },
    memoryUsage: usage,
    workingSet: usage === undefined ? undefined : Math.max(0, usage - Number(memory?.inactiveFile ?? 0)),
    rss: numberOf(memory?.anon),
    cache: numberOf(memory?.file),
    swap: numberOf(memory?.swapUsage),
    memoryFailures: numberOf(memoryEvents?.max),
    memoryLimit: limitOf(memory?.usageLimit),
    oomKills: numberOf(memoryEvents?.oomKill),
    threads: numberOf(pids?.current),
  });
}

function numberOf(text: string | undefined, unit = 1): number | undefined {
  return text === undefined ? undefined : Number(text) / unit;
}

/** For no limit, the kernel reports almost 2^63 in version 1, and containerd 2^64 - 1 in version 2. */
function limitOf(text: string | undefined): number | undefined {
  const limit = Number(text ?? 0);
  return limit > 0 && limit < 2 ** 62 ? limit : undefined;
}
