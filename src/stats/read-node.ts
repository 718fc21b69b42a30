/**
 * Reads the usage of all pods and containers of the node.
 *
 * CPU time comes from the runtime's stats, in nanoseconds and with the time of the sample. What CRI lacks comes from
 * the kernel's files if the gateway can see them, or else from containerd's own services. Anything else is absent.
 */
import { statfs } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Container, ContainerStats, PodSandbox, PodSandboxStats } from "../gen/messages.ts";
import type { NodeLists } from "../inventory/node-lists.ts";
import { type Cgroup, type CgroupFiles, createCgroupFiles, present } from "./cgroup-files.ts";
import { networkOf } from "./network-devices.ts";
import { add } from "./sum-usage.ts";
import { createTaskMetrics } from "./task-metrics.ts";
import type { ContainerReading, InterfaceUsage, NodeReading, Phase, PodReading, Usage } from "./usage.ts";
import {
  type ContainerFacts,
  type PodFacts,
  readContainerFacts,
  readPodFacts,
  secondsOf,
} from "./verbose-facts.ts";

/** Reads the node. Concurrent callers share one reading. @throws {GatewayError} when the runtime does not answer. */
export type ReadNode = () => Promise<NodeReading>;

export interface NodeReaderOptions {
  readonly runtime: Runtime;
  readonly lists: Pick<NodeLists, "read">;
  /** Default: those of this machine. */
  readonly cgroups?: CgroupFiles;
  /** Default: of the pod that this pid is in, by `/proc`. */
  readonly network?: (pid: number) => readonly InterfaceUsage[] | undefined;
}

/** Number of statuses that are read concurrently. */
const width = 8;
/** Number of cgroups that are read before yielding to other work: about 5 ms. */
const sliceLength = 25;
/** Limits that only the runtime knows are read again after this time, in milliseconds. */
const factsMaxAgeMs = 60_000;

interface Known<F> {
  readonly facts: F;
  /** Whether the container had exited. Its facts no longer change then. */
  readonly exited: boolean;
  readonly readAt: number;
}

export function createNodeReader({
  runtime,
  lists,
  cgroups = createCgroupFiles(),
  network = networkOf,
}: NodeReaderOptions): ReadNode {
  const containerFacts = new Map<string, Known<ContainerFacts>>();
  const podFacts = new Map<string, Known<PodFacts>>();
  const filesystems = createFilesystems();
  const readTasks = createTaskMetrics(runtime);
  let running: Promise<NodeReading> | undefined;

  async function read(): Promise<NodeReading> {
    // Omit members that cannot be read, and return the others.
    const options: CallOptions = { onFailedMember: () => undefined };
    const [{ pods, containers }, { stats }] = await Promise.all([
      lists.read(options),
      call(runtime, "RuntimeService/ListContainerStats", {}, options),
    ]);
    await refreshFacts(pods, containers, options);
    const statsOf = new Map(stats.map((one) => [one.attributes?.id ?? "", one]));
    const podOf = new Map(pods.map((pod) => [pod.id, pod]));
    const found = new Map<string, Cgroup>();
    const readings: ContainerReading[] = [];
    const active = containers.filter(({ state }) => state === "CONTAINER_RUNNING");
    const cgroupOf = new Map(
      active.map(({ id }) => [id, cgroups.find(id, containerFacts.get(id)?.facts.pid ?? 0)]),
    );
    const tasks = [...cgroupOf.values()].includes(undefined) ? await readTasks() : undefined;
    for (const container of active) {
      const pod = podOf.get(container.podSandboxId);
      const facts = containerFacts.get(container.id)?.facts;
      const cgroup = cgroupOf.get(container.id);
      if (cgroup !== undefined) found.set(container.podSandboxId, cgroup);
      const usage = await containerUsage(statsOf.get(container.id), facts, {
        cgroup,
        task: tasks?.get(container.id),
      });
      readings.push({
        id: container.id,
        name: container.metadata?.name ?? "",
        podSandboxId: container.podSandboxId,
        pod: pod?.metadata?.name ?? "",
        namespace: pod?.metadata?.namespace ?? "",
        labels: container.labels,
        podLabels: pod?.labels,
        image: facts?.image ?? container.image?.image ?? container.imageRef,
        ...present({
          startedAt: facts?.startedAt,
          requestedCpuShares: facts?.limits.cpuShares,
          cgroup: cgroup?.path,
        }),
        usage,
      });
      if (readings.length % sliceLength === 0) await nextTurn();
    }
    return { time: Date.now() / 1000, containers: readings, pods: await podReadings() };

    async function podReadings(): Promise<readonly PodReading[]> {
      const members = groupByPod(readings);
      const ofPod = groupByPod(containers);
      const seen = new Map<
        string,
        { readonly cgroup?: Cgroup; readonly interfaces?: readonly InterfaceUsage[] }
      >();
      for (const pod of pods) {
        if (pod.state !== "SANDBOX_READY") continue;
        const pid = podFacts.get(pod.id)?.facts.pid ?? 0;
        const inside = found.get(pod.id) ?? cgroups.find(pod.id, pid);
        const cgroup = inside && cgroups.ofPod(inside, pod.metadata?.uid ?? "");
        // Containers share the pod's network, so use any of them if the sandbox has no process.
        const pids = [
          pid,
          ...(members.get(pod.id) ?? []).map(({ id }) => containerFacts.get(id)?.facts.pid ?? 0),
        ];
        const interfaces = inside && firstOf(pids, network);
        seen.set(pod.id, present({ cgroup, interfaces }));
      }
      const isWhole = [...seen.values()].every(({ cgroup, interfaces }) => cgroup && interfaces);
      const told = isWhole ? new Map<string, PodSandboxStats>() : await toldPodStats(runtime, options);
      const result: PodReading[] = [];
      for (const pod of pods) {
        const facts = podFacts.get(pod.id)?.facts;
        const { cgroup, interfaces } = seen.get(pod.id) ?? {};
        const usages = (members.get(pod.id) ?? []).map(({ usage }) => usage);
        const stats = told.get(pod.id);
        result.push({
          id: pod.id,
          ...{ name: pod.metadata?.name ?? "", namespace: pod.metadata?.namespace ?? "" },
          ...{ uid: pod.metadata?.uid ?? "", labels: pod.labels },
          ready: pod.state === "SANDBOX_READY",
          phase: phaseOf(pod, ofPod.get(pod.id) ?? [], containerFacts),
          createdAt: secondsOf(pod.createdAt) ?? 0,
          ...present({ ip: facts?.ip || undefined, image: facts?.image || undefined, cgroup: cgroup?.path }),
          usage: {
            ...((cgroup && readPod(cgroup, usages)) ?? criPodUsage(stats) ?? add(usages)),
            ...present({ interfaces: interfaces ?? criInterfaces(stats) }),
          },
        });
        if (result.length % sliceLength === 0) await nextTurn();
      }
      return result;
    }
  }

  /** A cgroup counts only its own processes, and those of a pod are in the cgroups of its containers. */
  function readPod(cgroup: Cgroup, containers: readonly Usage[]): Usage | undefined {
    const usage = cgroups.read(cgroup);
    if (usage === undefined) return undefined;
    const { processes: _, ...others } = usage;
    return { ...others, ...present({ processes: add(containers).processes }) };
  }

  async function containerUsage(
    stats: ContainerStats | undefined,
    facts: ContainerFacts | undefined,
    { cgroup, task }: { readonly cgroup: Cgroup | undefined; readonly task: Usage | undefined },
  ): Promise<Usage> {
    const kernel = cgroup && cgroups.read(cgroup);
    return {
      ...(kernel === undefined ? facts?.limits : {}),
      ...criMemory(stats, facts),
      ...(kernel ?? task),
      ...criCpu(stats?.cpu),
      ...present({ filesystem: await filesystems.of(stats?.writableLayer) }),
    };
  }

  /** Reads facts that are unknown, and forgets those of pods and containers that no longer exist. */
  async function refreshFacts(
    pods: readonly PodSandbox[],
    containers: readonly Container[],
    options: CallOptions,
  ): Promise<void> {
    forgetOthers(podFacts, pods);
    forgetOthers(containerFacts, containers);
    const newPods = pods.filter(({ id, state }) => state === "SANDBOX_READY" && !podFacts.has(id));
    await inParallel(newPods, async ({ id }) => {
      const facts = await readPodFacts(runtime, id, options);
      if (facts !== undefined) podFacts.set(id, { facts, exited: false, readAt: performance.now() });
    });
    const stale = containers.filter(({ id, state }) => {
      const known = containerFacts.get(id);
      if (state === "CONTAINER_EXITED") return known?.exited !== true;
      if (state !== "CONTAINER_RUNNING") return false;
      if (known === undefined || known.exited) return true;
      // A container that cri-dockerd restarted has another pid.
      if (cgroups.find(id, known.facts.pid) !== undefined) return false;
      return performance.now() - known.readAt > factsMaxAgeMs;
    });
    await inParallel(stale, async ({ id, state }) => {
      const facts = await readContainerFacts(runtime, id, options);
      const exited = state === "CONTAINER_EXITED";
      if (facts !== undefined) containerFacts.set(id, { facts, exited, readAt: performance.now() });
    });
  }

  return () => {
    running ??= read().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function groupByPod<T extends { readonly podSandboxId: string }>(
  containers: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const container of containers) {
    const group = groups.get(container.podSandboxId);
    if (group === undefined) groups.set(container.podSandboxId, [container]);
    else group.push(container);
  }
  return groups;
}

function firstOf<T>(pids: readonly number[], read: (pid: number) => T | undefined): T | undefined {
  for (const pid of pids) {
    const found = pid > 0 ? read(pid) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function forgetOthers<T>(known: Map<string, T>, there: readonly { readonly id: string }[]): void {
  const ids = new Set(there.map(({ id }) => id));
  for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}

/** The runtime's own stats of pods; empty if it has none. */
async function toldPodStats(
  runtime: Runtime,
  options: CallOptions,
): Promise<ReadonlyMap<string, PodSandboxStats>> {
  if (runtime.seen("RuntimeService/ListPodSandboxStats") === "unimplemented") return new Map();
  try {
    const { stats } = await call(runtime, "RuntimeService/ListPodSandboxStats", {}, options);
    return new Map(stats.map((one) => [one.attributes?.id ?? "", one]));
  } catch (error) {
    if (error instanceof GatewayError && error.code !== "runtime_unavailable") return new Map();
    throw error;
  }
}

// ---- CRI's own figures ----

const wrappedNumber = (wrapped: { readonly value: string } | undefined): number | undefined =>
  wrapped === undefined ? undefined : Number(wrapped.value);

function criCpu(cpu: ContainerStats["cpu"]): Pick<Usage, "cpuTime" | "cpuSeconds"> {
  const used = wrappedNumber(cpu?.usageCoreNanoSeconds);
  const cpuTime = secondsOf(cpu?.timestamp ?? "0");
  return used === undefined || cpuTime === undefined ? {} : { cpuTime, cpuSeconds: used / 1e9 };
}

/** For no limit, some runtimes report 2^63, others 0. */
const unlimited = 2 ** 62;

function criMemory(
  { memory, swap }: Pick<ContainerStats, "memory" | "swap"> = {},
  facts?: ContainerFacts,
): Partial<Usage> {
  const workingSet = wrappedNumber(memory?.workingSetBytes);
  const available = wrappedNumber(memory?.availableBytes) ?? 0;
  const isLimited = workingSet !== undefined && available > 0 && available < unlimited;
  return present({
    workingSet,
    memoryUsage: wrappedNumber(memory?.usageBytes),
    rss: wrappedNumber(memory?.rssBytes),
    swap: wrappedNumber(swap?.swapUsageBytes),
    memoryLimit: isLimited ? workingSet + available : facts?.limits.memoryLimit,
  });
}

function criPodUsage(stats: PodSandboxStats | undefined): Usage | undefined {
  const linux = stats?.linux;
  if (linux?.cpu === undefined && linux?.memory === undefined) return undefined;
  return {
    ...criCpu(linux.cpu),
    ...criMemory({ ...present({ memory: linux.memory }) }),
    ...present({ processes: wrappedNumber(linux.process?.processCount) }),
  };
}

function criInterfaces(stats: PodSandboxStats | undefined): readonly InterfaceUsage[] | undefined {
  const network = stats?.linux?.network;
  if (network === undefined) return undefined;
  const all = [...(network.defaultInterface ? [network.defaultInterface] : []), ...network.interfaces];
  const named = new Map(all.filter(({ name }) => name !== "lo" && name !== "").map((one) => [one.name, one]));
  return [...named.values()].map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    receivedBytes: wrappedNumber(rxBytes) ?? 0,
    sentBytes: wrappedNumber(txBytes) ?? 0,
    ...present({ receiveErrors: wrappedNumber(rxErrors), sendErrors: wrappedNumber(txErrors) }),
  }));
}

function phaseOf(
  pod: PodSandbox,
  own: readonly Container[],
  facts: ReadonlyMap<string, Known<ContainerFacts>>,
): Phase {
  if (own.some(({ state }) => state === "CONTAINER_RUNNING")) return "Running";
  const isReady = pod.state === "SANDBOX_READY";
  if (isReady && !own.some(({ state }) => state === "CONTAINER_EXITED")) return "Pending";
  const hasFailed = own.some(({ id }) => (facts.get(id)?.facts.exitCode ?? 0) !== 0);
  return hasFailed ? "Failed" : "Succeeded";
}

// ---- Filesystems ----

const sizesMaxAgeMs = 10_000;
const maxFilesystems = 100;

/** The sizes of the filesystems that writable layers are on, read every 10 seconds. */
function createFilesystems() {
  const sizes = new Map<string, { readonly bytes: number | undefined; readonly readAt: number }>();

  async function sizeOf(mountpoint: string): Promise<number | undefined> {
    const known = sizes.get(mountpoint);
    if (known !== undefined && performance.now() - known.readAt < sizesMaxAgeMs) return known.bytes;
    // On another machine the path is absent.
    const stats = await statfs(mountpoint).catch(() => undefined);
    const bytes = stats === undefined ? undefined : stats.blocks * stats.bsize;
    if (sizes.size >= maxFilesystems) sizes.clear();
    sizes.set(mountpoint, { bytes, readAt: performance.now() });
    return bytes;
  }

  return {
    /** Undefined while the runtime has not measured it. */
    async of(layer: ContainerStats["writableLayer"]): Promise<Usage["filesystem"]> {
      const usedBytes = wrappedNumber(layer?.usedBytes);
      if (usedBytes === undefined || secondsOf(layer?.timestamp ?? "0") === undefined) return undefined;
      const mountpoint = layer?.fsId?.mountpoint ?? "";
      const limitBytes = mountpoint.startsWith("/") ? await sizeOf(mountpoint) : undefined;
      return { mountpoint, usedBytes, ...present({ limitBytes }) };
    },
  };
}
