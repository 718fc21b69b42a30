/**
 * The usage of pods and containers with cAdvisor's names and labels, and the few series of kube-state-metrics that
 * dashboards join them with, so that dashboards made for a kubelet work with Crest.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SeenPod } from "../inventory/visibility.ts";
import { nodeSize } from "../stats/node-size.ts";
import type { ReadNode } from "../stats/read-node.ts";
import { type ContainerReading, type PodReading, phases } from "../stats/usage.ts";
import { networkFamilies, type UsageFamily, usageFamilies } from "./container-families.ts";
import { type Family, header, labelText, sample } from "./exposition.ts";
import { createRecent, type Seen } from "./recent.ts";

export interface ContainerMetrics {
  /**
   * Pieces of Prometheus' text format, one for each family. `sees`: which pods it is about; default: all.
   *
   * @throws {GatewayError} when the runtime does not answer.
   */
  read(sees?: Sees): Promise<AsyncIterable<string>>;
}

export type Sees = (pod: SeenPod) => boolean;

/** Something that is measured, with its labels as text. */
interface Measured extends Seen<PodReading | ContainerReading> {
  readonly labels: string;
}

export function createContainerMetrics(readNode: ReadNode): ContainerMetrics {
  const recentPods = createRecent<PodReading>();
  const recentContainers = createRecent<ContainerReading>();
  const { name: node } = nodeSize();

  return {
    async read(sees = () => true) {
      const reading = await readNode();
      const { time } = reading;
      const knownPods = recentPods.update(
        reading.pods.filter((pod) => pod.ready),
        time,
      );
      const knownContainers = recentContainers.update(reading.containers, time);
      const pods = reading.pods.filter(sees);
      const seen = new Set(
        [...pods, ...knownPods.map((one) => one.reading).filter(sees)].map(({ id }) => id),
      );
      const isSeen = ({ podSandboxId }: ContainerReading): boolean => seen.has(podSandboxId);
      const containers = reading.containers.filter(isSeen);
      const allPods = knownPods.filter((one) => seen.has(one.reading.id));
      const allContainers = knownContainers.filter((one) => isSeen(one.reading));
      const measured = distinct([...allContainers.map(ofContainer), ...allPods.map(ofPod)]);
      const sandboxes = distinct(allPods.map(ofSandbox));
      return (async function* () {
        yield machine();
        for (const family of usageFamilies) yield await textOf(family, measured);
        for (const family of networkFamilies) yield await textOf(family, sandboxes);
        yield times(measured);
        yield podInfo(newest(pods), node);
        yield resources(containers, pods, node);
      })();
    },
  };
}

function ofContainer(seen: Seen<ContainerReading>): Measured {
  const { id, cgroup, image, namespace, pod, name } = seen.reading;
  const labels = { container: name, id: cgroup ?? `/${id}`, image, name: id, namespace, pod };
  return { ...seen, labels: labelText(labels) };
}

/** The sum of a pod has no container, no image and no name. */
function ofPod(seen: Seen<PodReading>): Measured {
  const { id, cgroup, namespace, name } = seen.reading;
  const labels = { container: "", id: cgroup ?? `/${id}`, image: "", name: "", namespace, pod: name };
  return { ...seen, labels: labelText(labels) };
}

/** The network of a pod is its sandbox's. */
function ofSandbox(seen: Seen<PodReading>): Measured {
  const { id, cgroup, image = "", namespace, name } = seen.reading;
  const labels = { container: "", id: `${cgroup ?? ""}/${id}`, image, name: id, namespace, pod: name };
  return { ...seen, labels: labelText(labels) };
}

/** Removes duplicate series, which Prometheus rejects: attempts of a pod may share a cgroup. Prefers those that run. */
function distinct(all: readonly Measured[]): readonly Measured[] {
  const labels = new Set<string>();
  return all
    .toSorted((a, b) => Number(a.ended) - Number(b.ended))
    .filter((one) => !labels.has(one.labels) && labels.add(one.labels));
}

/** Number of lines that are written before yielding to other requests. */
const sliceLength = 1000;

async function textOf(family: UsageFamily, all: readonly Measured[]): Promise<string> {
  const lines: string[] = [];
  let slice = sliceLength;
  for (const { reading, labels, ended } of all) {
    // Gauges of what has ended are outdated, but its counters are still true.
    if (ended && family.type === "gauge") continue;
    for (const [own, value] of family.values(reading.usage))
      lines.push(sample(family.name, own === "" ? labels : `${labels},${own}`, value));
    if (lines.length < slice) continue;
    slice = lines.length + sliceLength;
    await nextTurn();
  }
  return lines.length === 0 ? "" : header(family) + lines.join("");
}

function machine(): string {
  const { cores, memoryBytes } = nodeSize();
  return [
    ...single("machine_cpu_cores", "CPU cores of the node.", cores),
    ...single("machine_memory_bytes", "Memory of the node.", memoryBytes),
  ].join("");
}

/** A family with one sample; empty for a value that is unknown. */
function single(name: string, help: string, value: number): readonly string[] {
  return Number.isNaN(value) ? [] : [header({ name, help, type: "gauge" }), sample(name, "", value)];
}

function times(all: readonly Measured[]): string {
  const seen: Family = {
    name: "container_last_seen",
    help: "Last time that it was seen, in seconds since the epoch.",
    type: "gauge",
  };
  const started: Family = {
    name: "container_start_time_seconds",
    help: "Start time, in seconds since the epoch.",
    type: "gauge",
  };
  const startOf = ({ reading }: Measured): number | undefined =>
    "startedAt" in reading ? reading.startedAt : "createdAt" in reading ? reading.createdAt : undefined;
  return [
    header(seen),
    ...all.map(({ labels, lastSeen }) => sample(seen.name, labels, Math.floor(lastSeen))),
    header(started),
    ...all.flatMap((one) => {
      const start = startOf(one);
      return start === undefined ? [] : [sample(started.name, one.labels, start)];
    }),
  ].join("");
}

/** A recreated pod has the same name, namespace and uid, so keep the newest. */
function newest(pods: readonly PodReading[]): readonly PodReading[] {
  const found = new Map<string, PodReading>();
  for (const pod of pods.toSorted((a, b) => a.createdAt - b.createdAt))
    found.set(JSON.stringify([pod.namespace, pod.name, pod.uid]), pod);
  return [...found.values()];
}

function podInfo(pods: readonly PodReading[], node: string): string {
  const info: Family = {
    name: "kube_pod_info",
    help: "1, with information about a pod in the labels.",
    type: "gauge",
  };
  const phase: Family = {
    name: "kube_pod_status_phase",
    help: "1 for the phase that a pod is in.",
    type: "gauge",
  };
  return [
    header(info),
    ...pods.map(({ namespace, name, uid, ip = "" }) =>
      sample(info.name, labelText({ namespace, pod: name, uid, node, pod_ip: ip }), 1),
    ),
    header(phase),
    ...pods.flatMap((pod) => {
      const labels = labelText({ namespace: pod.namespace, pod: pod.name, uid: pod.uid });
      return phases.map((one) => sample(phase.name, `${labels},phase="${one}"`, pod.phase === one ? 1 : 0));
    }),
  ].join("");
}

/** As configured. CRI has only CPU requests, which the kubelet passes as shares. */
function resources(
  containers: readonly ContainerReading[],
  pods: readonly PodReading[],
  node: string,
): string {
  const uids = new Map(pods.map(({ id, uid }) => [id, uid]));
  const lines = { requests: new Map<string, number>(), limits: new Map<string, number>() };
  for (const { podSandboxId, namespace, pod, name, usage, requestedCpuShares } of containers) {
    const uid = uids.get(podSandboxId) ?? "";
    const labels = labelText({ namespace, pod, uid, container: name, node });
    const cpu = `${labels},resource="cpu",unit="core"`;
    if (requestedCpuShares !== undefined) lines.requests.set(cpu, requestedCpuShares / 1024);
    if (usage.cpuQuota !== undefined && usage.cpuPeriod !== undefined)
      lines.limits.set(cpu, usage.cpuQuota / usage.cpuPeriod);
    if (usage.memoryLimit !== undefined)
      lines.limits.set(`${labels},resource="memory",unit="byte"`, usage.memoryLimit);
  }
  return (["requests", "limits"] as const)
    .map((kind) => {
      const name = `kube_pod_container_resource_${kind}`;
      const help = kind === "requests" ? "CPU that a container requested." : "What a container may use.";
      const samples = [...lines[kind]].map(([labels, value]) => sample(name, labels, value));
      return samples.length === 0 ? "" : header({ name, help, type: "gauge" }) + samples.join("");
    })
    .join("");
}
