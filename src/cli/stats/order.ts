/** The order of the rows of `crest stats`. */
import type { LiveUsage } from "../../client/index.ts";

interface Order {
  /** What has it. Default: both. */
  readonly only?: "pods" | "containers";
  /** The key that chooses it while the table is live. */
  readonly key: string;
  readonly value: (usage: LiveUsage) => number | string | null;
}

/** Numbers begin with the largest, names with A. */
export const orders = {
  cpu: { key: "c", value: ({ cores }) => cores },
  memory: { key: "m", value: ({ workingSetBytes }) => workingSetBytes },
  name: { key: "n", value: (usage) => fullName(usage) },
  received: { only: "pods", key: "i", value: ({ receivedBytesPerSecond: bytes }) => bytes },
  sent: { only: "pods", key: "o", value: ({ sentBytesPerSecond: bytes }) => bytes },
  read: { key: "r", value: ({ readBytesPerSecond: bytes }) => bytes },
  written: { key: "w", value: ({ writtenBytesPerSecond: bytes }) => bytes },
  disk: { only: "containers", key: "d", value: ({ filesystemUsedBytes: bytes }) => bytes },
} as const satisfies { readonly [name: string]: Order };

export type OrderName = keyof typeof orders;

/** Those of pods, or of containers. */
export function ordersOf(pods: boolean): readonly OrderName[] {
  const other = pods ? "containers" : "pods";
  const all: { readonly [name: string]: Order } = orders;
  return (Object.keys(orders) as OrderName[]).filter((name) => all[name]?.only !== other);
}

/** `namespace/pod/container`, or `namespace/pod`. */
export const fullName = ({ namespace, pod, name }: LiveUsage): string =>
  [namespace, pod, name].filter((part) => part !== undefined).join("/");

/** What is not known comes last; equal ones are in the order of their names, so that rows do not jump. */
export function sorted(usages: readonly LiveUsage[], order: OrderName): readonly LiveUsage[] {
  const { value } = orders[order];
  return usages
    .map((usage) => ({ usage, name: fullName(usage), value: value(usage) }))
    .sort((one, other) => compare(one.value, other.value) || compare(one.name, other.name))
    .map(({ usage }) => usage);
}

function compare(one: number | string | null, other: number | string | null): number {
  if (one === other) return 0;
  if (one === null || other === null) return one === null ? 1 : -1;
  const isLarger = one > other;
  return isLarger === (typeof one === "number") ? -1 : 1;
}
