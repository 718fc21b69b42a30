/** cAdvisor's metrics: their names, and the part of a usage that each reports. */
import type { Usage } from "../stats/usage.ts";
import { type Family, labelText } from "./exposition.ts";

/** A value, with labels besides those of the pod or container. */
export type Value = readonly [labels: string, value: number];

export interface UsageFamily extends Family {
  /** Undefined where it is not known. */
  readonly values: (usage: Usage) => readonly Value[];
}

const one = (value: number | undefined, labels = ""): readonly Value[] =>
  value === undefined ? [] : [[labels, value]];

function counter(name: string, help: string, values: UsageFamily["values"]): UsageFamily {
  return { name: `container_${name}`, help, type: "counter", values };
}

function gauge(name: string, help: string, values: UsageFamily["values"]): UsageFamily {
  return { name: `container_${name}`, help, type: "gauge", values };
}

const total = 'cpu="total"';

/** Undefined without a CPU limit: the kernel counts no periods then. */
const throttling = ({ throttling: counts, cpuQuota }: Usage) => (cpuQuota === undefined ? undefined : counts);

const perDevice =
  (of: (device: NonNullable<Usage["devices"]>[number]) => number): UsageFamily["values"] =>
  ({ devices = [] }) =>
    devices.map((device) => [labelText({ device: device.name }), of(device)]);

/** Of pods and of containers. */
export const usageFamilies: readonly UsageFamily[] = [
  counter("cpu_usage_seconds_total", "CPU time used.", ({ cpuSeconds }) => one(cpuSeconds, total)),
  counter("cpu_user_seconds_total", "CPU time used by programs.", ({ userSeconds }) => one(userSeconds)),
  counter("cpu_system_seconds_total", "CPU time used by the kernel.", ({ systemSeconds }) =>
    one(systemSeconds),
  ),
  counter("cpu_cfs_periods_total", "Periods of the CPU limit that have passed.", (usage) =>
    one(throttling(usage)?.periods),
  ),
  counter("cpu_cfs_throttled_periods_total", "Periods in which the limit was reached.", (usage) =>
    one(throttling(usage)?.throttledPeriods),
  ),
  counter("cpu_cfs_throttled_seconds_total", "Time for which the CPU limit throttled it.", (usage) =>
    one(throttling(usage)?.throttledSeconds),
  ),
  gauge("memory_working_set_bytes", "Memory usage without inactive file pages.", ({ workingSet }) =>
    one(workingSet),
  ),
  gauge("memory_usage_bytes", "Memory in use, with the page cache.", ({ memoryUsage }) => one(memoryUsage)),
  gauge("memory_rss", "Anonymous memory.", ({ rss }) => one(rss)),
  gauge("memory_cache", "Page cache.", ({ cache }) => one(cache)),
  gauge("memory_swap", "Memory that is swapped out.", ({ swap }) => one(swap)),
  gauge("memory_max_usage_bytes", "Largest usage so far.", ({ maxMemoryUsage }) => one(maxMemoryUsage)),
  counter("memory_failcnt", "Times that the memory limit was reached.", ({ memoryFailures }) =>
    one(memoryFailures),
  ),
  counter("oom_events_total", "Processes killed for lack of memory.", ({ oomKills }) => one(oomKills)),
  counter(
    "fs_reads_total",
    "Reads from a device.",
    perDevice(({ reads }) => reads),
  ),
  counter(
    "fs_writes_total",
    "Writes to a device.",
    perDevice(({ writes }) => writes),
  ),
  counter(
    "fs_reads_bytes_total",
    "Bytes read from a device.",
    perDevice(({ readBytes }) => readBytes),
  ),
  counter(
    "fs_writes_bytes_total",
    "Bytes written to a device.",
    perDevice(({ writtenBytes }) => writtenBytes),
  ),
  gauge("fs_usage_bytes", "Size of the writable layer.", ({ filesystem }) =>
    filesystem === undefined ? [] : one(filesystem.usedBytes, labelText({ device: filesystem.mountpoint })),
  ),
  gauge("fs_limit_bytes", "Size of the file system that the writable layer is on.", ({ filesystem }) =>
    filesystem === undefined ? [] : one(filesystem.limitBytes, labelText({ device: filesystem.mountpoint })),
  ),
  gauge("processes", "Processes.", ({ processes }) => one(processes)),
  gauge("threads", "Threads.", ({ threads }) => one(threads)),
  gauge("spec_memory_limit_bytes", "Memory limit; 0 for none.", ({ memoryLimit, memoryUsage, workingSet }) =>
    memoryLimit === undefined && memoryUsage === undefined && workingSet === undefined
      ? []
      : one(memoryLimit ?? 0),
  ),
  gauge("spec_cpu_quota", "CPU time for each period, in microseconds.", ({ cpuQuota }) => one(cpuQuota)),
  gauge("spec_cpu_period", "Length of a period, in microseconds.", ({ cpuPeriod }) => one(cpuPeriod)),
  gauge("spec_cpu_shares", "CPU weight, in shares.", ({ cpuShares }) => one(cpuShares)),
];

type Interface = NonNullable<Usage["interfaces"]>[number];

const perInterface =
  (of: (device: Interface) => number | undefined): UsageFamily["values"] =>
  ({ interfaces = [] }) =>
    interfaces.flatMap((device) => one(of(device), labelText({ interface: device.name })));

/** Of the sandboxes of pods. */
export const networkFamilies: readonly UsageFamily[] = [
  counter(
    "network_receive_bytes_total",
    "Bytes received.",
    perInterface((one) => one.receivedBytes),
  ),
  counter(
    "network_receive_packets_total",
    "Packets received.",
    perInterface((one) => one.receivedPackets),
  ),
  counter(
    "network_receive_packets_dropped_total",
    "Packets dropped.",
    perInterface((one) => one.receiveDropped),
  ),
  counter(
    "network_receive_errors_total",
    "Errors in receiving.",
    perInterface((one) => one.receiveErrors),
  ),
  counter(
    "network_transmit_bytes_total",
    "Bytes sent.",
    perInterface((one) => one.sentBytes),
  ),
  counter(
    "network_transmit_packets_total",
    "Packets sent.",
    perInterface((one) => one.sentPackets),
  ),
  counter(
    "network_transmit_packets_dropped_total",
    "Packets dropped.",
    perInterface((one) => one.sendDropped),
  ),
  counter(
    "network_transmit_errors_total",
    "Errors in sending.",
    perInterface((one) => one.sendErrors),
  ),
];
