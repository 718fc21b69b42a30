/**
 * The ids of a containerd's pods, from its own API. CRI has no list that is small however much metadata the pods have;
 * containerd sends its containers one by one, and those of pods carry a label.
 */

import type { Runtime } from "../cri/channel.ts";
import { scanItems, stringAt } from "../wire/scan.ts";
import type { Countdown } from "./countdown.ts";

const listStream = "/containerd.services.containers.v1.Containers/ListStream";
/** The namespace that CRI works in. */
const metadata = { "containerd-namespace": "k8s.io" };
const filter = 'labels."io.cri-containerd.kind"==sandbox';

/** ListContainersRequest: `filters`, field 1. */
const request = Buffer.from([(1 << 3) | 2, filter.length, ...Buffer.from(filter)]);
/** ListContainerMessage: `container`, field 1, and in it `id`, field 1. */
const containerField = 1;
const idPath = [1];

/** @throws {ServiceError} as `Runtime.streamNative`, when this is no containerd or it does not serve its own API. */
export async function podIdsOf(runtime: Runtime, left: Countdown): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const message of runtime.streamNative(listStream, request, { ...left(), metadata })) {
    const items = scanItems(message, containerField);
    for (let index = 0; index < items.length; index++) ids.push(stringAt(items, index, idPath));
  }
  return ids;
}
