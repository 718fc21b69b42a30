/** Adds up the usage of several containers. */
import { present } from "./cgroup-files.ts";
import type { Usage } from "./usage.ts";

const added = [
  "cpuSeconds",
  "userSeconds",
  "systemSeconds",
  "memoryUsage",
  "workingSet",
  "rss",
  "cache",
  "swap",
  "processes",
  "threads",
] as const;

/** Omits a figure that one of them lacks, because a partial sum would look like a total. */
export function add(usages: readonly Usage[]): Usage {
  const sums: { [K in (typeof added)[number]]?: number | undefined } = {};
  for (const name of added) {
    const values = usages.map((usage) => usage[name]);
    if (values.length === 0 || values.includes(undefined)) continue;
    sums[name] = values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  }
  const times = usages.map(({ cpuTime }) => cpuTime ?? 0);
  return present({ ...sums, cpuTime: times.length === 0 ? undefined : Math.max(...times) });
}
