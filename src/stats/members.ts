/** Reads the stats of each pod or container separately, when a runtime fails to list them all. */

import { call } from "../cri/call.ts";
import type { CallOptions, FailedMember, Runtime } from "../cri/channel.ts";
import { decodeRequest, encodeReply, type Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerFilter, ContainerStats, PodSandboxFilter, PodSandboxStats } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";
import type { Countdown } from "../runtimes/countdown.ts";
import { readEach } from "../runtimes/read-each.ts";

/** A list of stats that failed as a whole. */
export interface FailedList {
  readonly runtime: Runtime;
  readonly request: Uint8Array;
  readonly left: Countdown;
  readonly onFailedMember: ((member: FailedMember) => void) | undefined;
  readonly error: GatewayError;
}

/** Concurrent reads of containers. Pods are read one at a time: reading one in containerd 1.6 writes a shared map. */
const width = 8;

/** Return the encoded reply. They read only what is running: nothing else uses resources. */
export const readMembers: { readonly [R in Rpc]?: (list: FailedList) => Promise<Buffer> } = {
  "RuntimeService/ListPodSandboxStats": podStats,
  "RuntimeService/ListContainerStats": containerStats,
};

async function podStats({ runtime, request, left, onFailedMember, error }: FailedList): Promise<Buffer> {
  const { filter } = decodeRequest("RuntimeService/ListPodSandboxStats", request);
  const ready: Input<PodSandboxFilter> = {
    ...(filter ? { id: filter.id, labelSelector: filter.labelSelector } : {}),
    state: { state: "SANDBOX_READY" },
  };
  const options = { ...left(), onFailedMember };
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", { filter: ready }, options).catch(
    rethrow(error),
  );
  const read = async (podSandboxId: string, options: CallOptions): Promise<PodSandboxStats | undefined> =>
    (await call(runtime, "RuntimeService/PodSandboxStats", { podSandboxId }, options)).stats;
  const ids = items.map(({ id }) => id);
  const stats = await readEach(ids, read, { width: 1, left, onFailedMember });
  return encodeReply("RuntimeService/ListPodSandboxStats", { stats });
}

async function containerStats(list: FailedList): Promise<Buffer> {
  const { runtime, request, left, onFailedMember, error } = list;
  const { filter } = decodeRequest("RuntimeService/ListContainerStats", request);
  const running: Input<ContainerFilter> = {
    ...(filter
      ? { id: filter.id, podSandboxId: filter.podSandboxId, labelSelector: filter.labelSelector }
      : {}),
    state: { state: "CONTAINER_RUNNING" },
  };
  const options = { ...left(), onFailedMember };
  const { containers } = await call(
    runtime,
    "RuntimeService/ListContainers",
    { filter: running },
    options,
  ).catch(rethrow(error));
  const read = async (containerId: string, options: CallOptions): Promise<ContainerStats | undefined> =>
    (await call(runtime, "RuntimeService/ContainerStats", { containerId }, options)).stats;
  const ids = containers.map(({ id }) => id);
  const stats = await readEach(ids, read, { width, left, onFailedMember });
  return encodeReply("RuntimeService/ListContainerStats", { stats });
}

/** Prefers the error of the stats list, which says more than that the members cannot be listed either. */
const rethrow =
  (error: GatewayError) =>
  (failure: unknown): never => {
    throw failure instanceof GatewayError ? error : failure;
  };
