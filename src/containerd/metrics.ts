/** What a container's or a pod's processes use, of either version of cgroups. */
import type { CgroupV1Metrics, CgroupV2Metrics, Metric } from "../gen/containerd/messages.ts";
import { decodeContainerd } from "./codec.ts";

/** The metrics of one task: `version` decides their type. */
export type CgroupMetrics =
  | { readonly version: 1; readonly metrics: CgroupV1Metrics }
  | { readonly version: 2; readonly metrics: CgroupV2Metrics };

/**
 * Decodes the data of a metric of Tasks/Metrics. Undefined for a type that Crest does not know, such as that of a
 * virtual machine's runtime.
 *
 * @throws {Malformed} If it is not protobuf.
 */
export function decodeMetrics({ data }: Metric): CgroupMetrics | undefined {
  if (data === undefined) return undefined;
  const wire = Buffer.from(data.value, "base64");
  const type = data.typeUrl.slice(data.typeUrl.lastIndexOf("/") + 1);
  if (type === "io.containerd.cgroups.v1.Metrics")
    return { version: 1, metrics: decodeContainerd("CgroupV1Metrics", wire) };
  if (type === "io.containerd.cgroups.v2.Metrics")
    return { version: 2, metrics: decodeContainerd("CgroupV2Metrics", wire) };
  return undefined;
}
