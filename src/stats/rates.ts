/** Current usage of pods and containers: rates between two readings, and limits. */
import type { ContainerReading, NodeReading, PodReading, Usage } from "./usage.ts";

/** A pod or container, with its immutable facts. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: { readonly [key: string]: string };
  /** Those of the pod alone. Undefined if it could not be read. */
  readonly podLabels: { readonly [key: string]: string } | undefined;
  /** Of a container. */
  readonly podSandboxId?: string;
  readonly pod?: string;
}

/** What is measured or computed for each member. NaN: unknown. */
export const figures = [
  "cores",
  "coresLimit",
  "workingSetBytes",
  "memoryUsageBytes",
  "memoryLimitBytes",
  "receivedBytesPerSecond",
  "sentBytesPerSecond",
  "readBytesPerSecond",
  "writtenBytesPerSecond",
  "filesystemUsedBytes",
] as const;
export type Figure = (typeof figures)[number];

/** All pods or all containers at one moment. */
export interface Round {
  /** In seconds since the epoch. */
  readonly time: number;
  readonly members: readonly Member[];
  /** The {@link figures} of each member, one member after the other. */
  readonly values: Float64Array;
}

export type Kind = "pod" | "container";

/** What the next round is compared with. */
export interface Before {
  readonly time: number;
  readonly usages: ReadonlyMap<string, Usage>;
}

/** `before`: the previous round. Members that are not in it get no rates. */
export function roundOf(kind: Kind, reading: NodeReading, before: Before | undefined): Round & Before {
  const members = kind === "pod" ? reading.pods.filter(({ ready }) => ready) : reading.containers;
  const values = new Float64Array(members.length * figures.length);
  const usages = new Map<string, Usage>();
  const passed = before === undefined ? 0 : reading.time - before.time;
  for (const [index, { id, usage }] of members.entries()) {
    usages.set(id, usage);
    const earlier = before?.usages.get(id);
    const figure: { readonly [F in Figure]: number } = {
      cores: rate(usage, earlier),
      coresLimit: (usage.cpuQuota ?? Number.NaN) / (usage.cpuPeriod ?? Number.NaN),
      workingSetBytes: usage.workingSet ?? Number.NaN,
      memoryUsageBytes: usage.memoryUsage ?? Number.NaN,
      memoryLimitBytes: usage.memoryLimit ?? Number.NaN,
      receivedBytesPerSecond: perSecond(received(usage), received(earlier), passed),
      sentBytesPerSecond: perSecond(sent(usage), sent(earlier), passed),
      readBytesPerSecond: perSecond(readBytes(usage), readBytes(earlier), passed),
      writtenBytesPerSecond: perSecond(writtenBytes(usage), writtenBytes(earlier), passed),
      filesystemUsedBytes: usage.filesystem?.usedBytes ?? Number.NaN,
    };
    values.set(
      figures.map((name) => figure[name]),
      index * figures.length,
    );
  }
  return { time: reading.time, members: members.map(memberOf), values, usages };
}

function memberOf(reading: PodReading | ContainerReading): Member {
  const { id, name, namespace, labels } = reading;
  if (!("pod" in reading)) return { id, name, namespace, labels, podLabels: labels };
  const { podLabels, podSandboxId, pod } = reading;
  return { id, name, namespace, labels, podLabels, podSandboxId, pod };
}

/** Uses the samples' own times: a runtime may return a sample that is some seconds old. */
function rate(now: Usage, before: Usage | undefined): number {
  if (now.cpuTime === undefined || before?.cpuTime === undefined) return Number.NaN;
  return perSecond(now.cpuSeconds, before.cpuSeconds, now.cpuTime - before.cpuTime);
}

/** Returns NaN if the counter was reset, or if both readings are of the same sample. */
function perSecond(now: number | undefined, before: number | undefined, seconds: number): number {
  if (now === undefined || before === undefined || seconds <= 0 || now < before) return Number.NaN;
  return (now - before) / seconds;
}

const received = (usage: Usage | undefined): number | undefined =>
  usage?.interfaces?.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
const sent = (usage: Usage | undefined): number | undefined =>
  usage?.interfaces?.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
const readBytes = (usage: Usage | undefined): number | undefined =>
  usage?.devices?.reduce((sum, device) => sum + device.readBytes, 0);
const writtenBytes = (usage: Usage | undefined): number | undefined =>
  usage?.devices?.reduce((sum, device) => sum + device.writtenBytes, 0);

/** The figures of a member of a round. */
export function figuresOf({ values }: Round, index: number): { readonly [F in Figure]: number } {
  const start = index * figures.length;
  return Object.fromEntries(figures.map((name, at) => [name, values[start + at]])) as {
    readonly [F in Figure]: number;
  };
}
