/**
 * Lists pod ids with containerd's own API. CRI has no list that stays small when pods have a lot of metadata.
 * containerd streams its containers one by one, and labels those of pods.
 */

import type { Runtime } from "../cri/channel.ts";
import { scanItems, stringAt } from "../wire/scan.ts";
import type { Countdown } from "./countdown.ts";

const listStream = "/containerd.services.containers.v1.Containers/ListStream";
/** The namespace that CRI uses. */
const metadata = { "containerd-namespace": "k8s.io" };
const filter = 'labels."io.cri-containerd.kind"==sandbox';

/** ListContainersRequest: `filters`, field 1. */
const request = Buffer.from([(1 << 3) | 2, filter.length, ...Buffer.from(filter)]);
/** ListContainerMessage: `container`, field 1, and in it `id`, field 1. */
const containerField = 1;
const idPath = [1];

/** @throws {GatewayError} As `Runtime.streamNative`: `not_implemented` if this is not containerd. */
export async function podIdsOf(runtime: Runtime, left: Countdown): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const message of runtime.streamNative(listStream, request, { ...left(), metadata })) {
    const items = scanItems(message, containerField);
    for (let index = 0; index < items.length; index++) ids.push(stringAt(items, index, idPath));
  }
  return ids;
}
