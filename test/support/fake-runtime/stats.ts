import { matchingContainers } from "./containers.ts";
import { unknown } from "./fault.ts";
import { matchesLabels, selectedById } from "./filters.ts";
import type { ContainerRequest, ListRequest, PodRequest } from "./messages.ts";
import { containersOf, type FakeContainer, type FakePod, nowNanos } from "./state.ts";
import { type Handler, inListOrder, refuse, requireContainer, requirePod, type World } from "./world.ts";

/** Fixed values: the usage of a small idle process. */
const workingSetBytes = 1_200_000;
const imageFilesystem = "/var/lib/fake-runtime/overlay";
const twoTo63 = 2n ** 63n;

export const containerStats: Handler<ContainerRequest> = (world, { containerId }, { rpc }) => {
  const container = requireContainer(world, rpc, containerId);
  refuse(world.manner.refuse.containerStats(container));
  if (world.manner.family === "cri-o" && container.state === "CONTAINER_EXITED") return {};
  // From 1.7 on, only the list computes the rate.
  const rateless = world.manner.name === "containerd-1.7" || world.manner.name === "containerd-2.1";
  return { stats: statsOf(world, container, { rateless }) };
};

export const listContainerStats: Handler<ListRequest> = (world, request) => ({
  stats: containerStatsItems(world, request),
});

/** The list items, shared with the streamed list. */
export function containerStatsItems(world: World, request: ListRequest): object[] {
  return matchingContainers(world, request)
    .filter(({ state }) => state === "CONTAINER_RUNNING" || world.manner.family !== "cri-o")
    .map((container) => statsOf(world, container, { rateless: false }));
}

function statsOf(world: World, container: FakeContainer, { rateless }: { rateless: boolean }): object {
  const { manner } = world;
  const { config } = container;
  const running = container.state === "CONTAINER_RUNNING";
  const attributes = {
    id: container.id,
    metadata: config.metadata,
    labels: manner.habits.containerLabels(config),
    annotations: config.annotations,
  };
  const timestamp = nowNanos();
  if (manner.family === "cri-dockerd") {
    const used = running ? workingSetBytes : 0;
    return {
      attributes,
      cpu: { timestamp, usageCoreNanoSeconds: { value: running ? cpuNanos(container) : 0n } },
      memory: { timestamp, workingSetBytes: { value: used } },
      writableLayer: {},
    };
  }
  const writableLayer = writable(world, container, timestamp);
  if (!running) return { attributes, writableLayer };
  const first = container.statsReads === 0;
  container.statsReads += 1;
  const rate = first ? (manner.family === "cri-o" ? undefined : { value: 0 }) : { value: 1_500_000 };
  const limit = BigInt(config.linux?.resources?.memoryLimitInBytes ?? 0);
  const unlimited = manner.family === "cri-o" ? twoTo63 : 0n;
  return {
    attributes,
    cpu: {
      timestamp,
      usageCoreNanoSeconds: { value: cpuNanos(container) },
      usageNanoCores: rateless ? undefined : rate,
    },
    memory: {
      timestamp,
      workingSetBytes: { value: workingSetBytes },
      availableBytes: { value: limit > 0n ? limit - BigInt(workingSetBytes) : unlimited },
      usageBytes: { value: 1_500_000 },
      rssBytes: { value: 400_000 },
      pageFaults: { value: manner.family === "cri-o" ? 0 : 1200 },
      majorPageFaults: { value: 0 },
    },
    writableLayer,
    swap:
      manner.family === "cri-o"
        ? { timestamp, swapAvailableBytes: { value: 0 }, swapUsageBytes: { value: 0 } }
        : undefined,
  };
}

/** One hundredth of a core since the start. */
function cpuNanos({ startedAtNanos }: FakeContainer): bigint {
  return startedAtNanos === 0n ? 0n : (nowNanos() - startedAtNanos) / 100n;
}

/** containerd reads disk usage only every ten seconds, and reports nothing before. */
function writable({ manner }: World, container: FakeContainer, timestamp: bigint): object {
  const seen = manner.family !== "containerd" || timestamp - container.createdAtNanos > 10_000_000_000n;
  if (!seen) return {};
  return {
    timestamp,
    fsId: { mountpoint: imageFilesystem },
    usedBytes: { value: 8192 },
    inodesUsed: { value: 3 },
  };
}

export const podSandboxStats: Handler<PodRequest> = (world, { podSandboxId }, { rpc }) => {
  const pod = requirePod(world, rpc, podSandboxId);
  refuse(world.manner.refuse.podStats(pod));
  return { stats: podStatsOf(world, pod) };
};

export const listPodSandboxStats: Handler<ListRequest> = (world, request) => ({
  stats: podStatsItems(world, request),
});

/** The list items, shared with the streamed list. One pod that cannot be measured fails the entire list. */
export function podStatsItems(world: World, { filter }: ListRequest): object[] {
  const { id, labelSelector } = filter ?? {};
  const selected = selectedById(world.state.pods, id);
  const containerd = world.manner.family === "containerd";
  const pods = inListOrder(world, [...world.state.pods.values()]).filter(
    (pod) =>
      (selected === undefined || pod === selected) &&
      matchesLabels(world.manner.habits.podLabels(pod.config), labelSelector),
  );
  const bare = pods.find((pod) => containerd && !pod.config.linux?.cgroupParent);
  if (bare !== undefined)
    throw unknown(`failed to obtain metrics for sandbox "${bare.id}": cgroupPath is empty`);
  const stopped = pods.find(({ state }) => state === "SANDBOX_NOTREADY");
  if (stopped !== undefined && world.manner.name === "containerd-1.6")
    throw unknown(
      `failed to decode sandbox container metrics for sandbox "${stopped.id}": failed to get pod sandbox stats since sandbox container "${stopped.id}" is not in ready state`,
    );
  return pods.filter(({ state }) => state === "SANDBOX_READY").map((pod) => podStatsOf(world, pod));
}

function podStatsOf(world: World, pod: FakePod): object {
  const { manner, state } = world;
  const timestamp = nowNanos();
  const running = containersOf(state, pod).filter((container) => container.state === "CONTAINER_RUNNING");
  const containers = running.map((container) => statsOf(world, container, { rateless: false }));
  const attributes = {
    id: pod.id,
    metadata: pod.config.metadata,
    labels: manner.habits.podLabels(pod.config),
    annotations: pod.config.annotations,
  };
  const interfaceOf = (name: string) => ({
    name,
    rxBytes: { value: 4200 },
    rxErrors: { value: 0 },
    txBytes: { value: 1700 },
    txErrors: { value: 0 },
  });
  if (manner.family === "cri-o") {
    const network = { timestamp, defaultInterface: interfaceOf("lo"), interfaces: [interfaceOf("eth0")] };
    return { attributes, linux: { network, containers } };
  }
  return {
    attributes,
    linux: {
      cpu: {
        timestamp,
        usageCoreNanoSeconds: { value: 9_000_000 },
        usageNanoCores: manner.name === "containerd-1.6" ? { value: 0 } : undefined,
      },
      memory: { timestamp, workingSetBytes: { value: workingSetBytes }, usageBytes: { value: 2_000_000 } },
      network: { timestamp, defaultInterface: interfaceOf("eth0") },
      process: { timestamp, processCount: { value: running.length + 1 } },
      containers,
    },
  };
}

export const imageFsInfo: Handler<object> = ({ manner }) => {
  const usage = (mountpoint: string, inodes: number) => ({
    timestamp: nowNanos(),
    fsId: { mountpoint },
    usedBytes: { value: 74_000_000 },
    inodesUsed: { value: inodes },
  });
  const imageFilesystems = [usage(imageFilesystem, 1500)];
  if (manner.family === "containerd") return { imageFilesystems };
  return { imageFilesystems, containerFilesystems: [usage("/var/lib/fake-runtime/containers", 250_000)] };
};

export const listMetricDescriptors: Handler<object> = () => ({
  descriptors: [
    {
      name: "container_last_seen",
      help: "Last time a container was seen by the exporter",
      labelKeys: ["id", "name", "image"],
    },
  ],
});

export const listPodSandboxMetrics: Handler<object> = (world) => ({ podMetrics: podMetricsItems(world) });

/** The list items, shared with the streamed list. */
export function podMetricsItems(world: World): object[] {
  const lastSeen = (id: string, name: string, image: string) => ({
    name: "container_last_seen",
    timestamp: nowNanos(),
    metricType: "GAUGE",
    labelValues: [id, name, image],
    value: { value: Math.trunc(Date.now() / 1000) },
  });
  return [...world.state.pods.values()].map((pod) => ({
    podSandboxId: pod.id,
    metrics: [lastSeen(pod.id, "POD", "")],
    containerMetrics: containersOf(world.state, pod).map(({ id, config }) => ({
      containerId: id,
      metrics: [lastSeen(id, config.metadata?.name ?? "", config.image?.image ?? "")],
    })),
  }));
}
