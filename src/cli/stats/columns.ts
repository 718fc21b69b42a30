/** The table of `crest stats`. */
import type { LiveUsage } from "../../client/index.ts";
import { bareId, shortIds } from "../output/short-ids.ts";
import { diskSize, memorySize } from "../output/sizes.ts";
import type { Column } from "../output/table.ts";
import type { Style } from "../terminal.ts";

/** Rates and sizes that are not known. */
const unknown = "-";

const inSize = (bytes: number | null): string => (bytes === null ? unknown : memorySize(bytes));
const inRate = (bytes: number | null): string => (bytes === null ? unknown : `${diskSize(bytes)}/s`);
const inPercent = (percent: number | null): string => (percent === null ? unknown : `${percent.toFixed(1)}%`);

export function columnsOf(
  usages: readonly LiveUsage[],
  { pods, isWhole }: { readonly pods: boolean; readonly isWhole: boolean },
): readonly Column<LiveUsage>[] {
  const idOf = isWhole ? bareId : shortIds(usages.map(({ id }) => id));
  const right = "right";
  const network: readonly Column<LiveUsage>[] = [
    {
      title: "RECEIVED",
      minWidth: 8,
      value: ({ receivedBytesPerSecond: bytes }) => inRate(bytes),
      align: right,
    },
    { title: "SENT", minWidth: 8, value: ({ sentBytesPerSecond: bytes }) => inRate(bytes), align: right },
  ];
  const disk: Column<LiveUsage> = {
    title: "DISK",
    minWidth: 6,
    value: ({ filesystemUsedBytes: bytes }) => (bytes === null ? unknown : diskSize(bytes)),
    align: right,
  };
  const subject: readonly Column<LiveUsage>[] = pods
    ? [
        { title: "POD ID", value: ({ id }) => idOf(id) },
        { title: "POD", value: ({ namespace, name }) => `${namespace}/${name}`, shrinksTo: 13 },
      ]
    : [
        { title: "CONTAINER", value: ({ id }) => idOf(id) },
        { title: "NAME", value: ({ name }) => name, shrinksTo: 8 },
        { title: "POD", value: ({ namespace, pod }) => `${namespace}/${pod ?? unknown}`, shrinksTo: 12 },
      ];
  return [
    ...subject,
    {
      title: "CPU",
      minWidth: 6,
      value: ({ cores }) => inPercent(cores === null ? null : cores * 100),
      align: right,
      style: ({ cpuPercentOfLimit: percent }) => alarm(percent),
    },
    {
      title: "MEMORY",
      minWidth: 7,
      value: ({ workingSetBytes: bytes }) => inSize(bytes),
      align: right,
      style: ({ memoryPercentOfLimit: percent }) => alarm(percent),
    },
    { title: "LIMIT", value: ({ memoryLimitBytes: bytes }) => inSize(bytes), align: right },
    {
      title: "OF LIMIT",
      value: ({ memoryPercentOfLimit: percent }) => inPercent(percent),
      align: right,
      wide: true,
    },
    ...(pods ? network : []),
    {
      title: "READ",
      minWidth: 8,
      value: ({ readBytesPerSecond: bytes }) => inRate(bytes),
      align: right,
      wide: true,
    },
    {
      title: "WRITTEN",
      value: ({ writtenBytesPerSecond: bytes }) => inRate(bytes),
      align: right,
      wide: true,
    },
    ...(pods ? [] : [disk]),
  ];
}

/** Near its limit. */
function alarm(percent: number | null): Style | undefined {
  if (percent === null || percent < 75) return undefined;
  return percent < 90 ? "yellow" : "red";
}
