/**
 * Lists that exceed the reply limit of the runtime: 16 MiB on containerd and cri-dockerd, which a few pods with large
 * annotations reach. Such a list is read in parts, as far as CRI can select them: pods by state, containers by state
 * and then by pod. If the pods of one state are still too many, they are read one by one, with ids from containerd's
 * own API. Other runtimes have no such API, so the list fails with `reply_too_large`.
 */

import { call } from "../cri/call.ts";
import {
  CallCancelled,
  type CallOptions,
  type FailedMember,
  maxMessageBytes,
  type Runtime,
} from "../cri/channel.ts";
import {
  decodeReply,
  encodeReply,
  encodeRequest,
  enumNames,
  fieldNumbers,
  replyItems,
  requestOf,
} from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { PodSandbox, PodSandboxFilter, PodSandboxStatus } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Items, stringAt } from "../wire/scan.ts";
import { type Interceptor, only } from "./compose.ts";
import { podIdsOf } from "./containerd-ids.ts";
import { type Countdown, countdown } from "./countdown.ts";
import { readEach } from "./read-each.ts";

/** A list that did not fit into one reply. */
interface Whole {
  readonly runtime: Runtime;
  readonly request: Uint8Array;
  readonly left: Countdown;
  readonly onFailedMember: ((member: FailedMember) => void) | undefined;
  /** The runtime's error for the whole list. */
  readonly tooLarge: GatewayError;
}

const width = 8;

const listPods = "RuntimeService/ListPodSandbox";
const listContainers = "RuntimeService/ListContainers";

/** Read a list in parts, as encoded replies. */
const inParts: { readonly [R in Rpc]?: (whole: Whole) => Promise<readonly Buffer[]> } = {
  [listPods]: podsInParts,
  [listContainers]: containersInParts,
};

/** Makes a runtime return complete lists of pods and containers of any size, where it can. */
export const withWholeLists: Interceptor = only(
  (_rule, rpc) => inParts[rpc] !== undefined,
  (runtime) => {
    async function list(rpc: Rpc, request: Uint8Array, options: CallOptions = {}): Promise<Buffer> {
      const left = countdown(rpc, options);
      try {
        return await runtime.call(rpc, request, options);
      } catch (error) {
        const read = inParts[rpc];
        if (read === undefined || !isTooLarge(error)) throw error;
        const { onFailedMember } = options;
        const parts = await read({ runtime, request, left, onFailedMember, tooLarge: error });
        return rpc === listPods ? mergePods(parts, error) : mergeContainers(parts, error);
      }
    }
    return { ...runtime, call: list };
  },
);

const isTooLarge = (error: unknown): error is GatewayError =>
  error instanceof GatewayError && error.code === "reply_too_large";

/** Concatenated messages are one message with the items of all of them. */
function concat(parts: readonly Buffer[], tooLarge: GatewayError): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > maxMessageBytes) throw tooLarge;
  return Buffer.concat(parts);
}

function mergePods(parts: readonly Buffer[], tooLarge: GatewayError): Buffer {
  const whole = concat(parts, tooLarge);
  if (!hasRepetition(replyItems(listPods, whole, "items"), "PodSandbox")) return whole;
  const { items } = decodeReply(listPods, whole);
  return encodeReply(listPods, { items: withoutRepetition(items) });
}

function mergeContainers(parts: readonly Buffer[], tooLarge: GatewayError): Buffer {
  const whole = concat(parts, tooLarge);
  if (!hasRepetition(replyItems(listContainers, whole, "containers"), "Container")) return whole;
  const { containers } = decodeReply(listContainers, whole);
  return encodeReply(listContainers, { containers: withoutRepetition(containers) });
}

/** A pod or container that changes state while the parts are read may be in two of them. */
function hasRepetition(items: Items, message: string): boolean {
  const idPath = fieldNumbers(message, "id");
  const ids = new Set<string>();
  for (let index = 0; index < items.length; index++) ids.add(stringAt(items, index, idPath));
  return ids.size < items.length;
}

/** Keeps the last item with an id, because it was read last. */
function withoutRepetition<Item extends { readonly id: string }>(items: readonly Item[]): readonly Item[] {
  return [...new Map(items.map((item) => [item.id, item])).values()];
}

/** Reads a part of a list; undefined if it is too large as well. */
async function partOf(
  { runtime, left }: Whole,
  rpc: Rpc,
  request: { readonly filter: object },
): Promise<Buffer | undefined> {
  try {
    return await runtime.call(rpc, encodeRequest(rpc, request), left());
  } catch (error) {
    if (isTooLarge(error)) return undefined;
    throw error;
  }
}

// ---- Pods ----

async function podsInParts(whole: Whole): Promise<readonly Buffer[]> {
  const { filter } = requestOf(listPods, whole.request);
  if (filter?.id) throw whole.tooLarge;
  const parts: Buffer[] = [];
  const pending = new Set<string>();
  for (const state of enumNames("PodSandboxState")) {
    if (filter?.state && filter.state.state !== state) continue;
    const part = await partOf(whole, listPods, { filter: { ...filter, state: { state } } });
    if (part === undefined) pending.add(state);
    else parts.push(part);
  }
  if (pending.size > 0) parts.push(await podsOneByOne(whole, filter, pending));
  return parts;
}

async function podsOneByOne(
  { runtime, left, onFailedMember, tooLarge }: Whole,
  filter: PodSandboxFilter | undefined,
  states: ReadonlySet<string>,
): Promise<Buffer> {
  const ids = await podIdsOf(runtime, left).catch((error: unknown) => {
    // No other runtime can list ids alone.
    throw error instanceof CallCancelled ? error : tooLarge;
  });
  const read = async (podSandboxId: string, options: CallOptions): Promise<PodSandbox | undefined> => {
    const { status } = await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId }, options);
    const isWanted = status && states.has(status.state) && hasLabels(status, filter?.labelSelector ?? {});
    return isWanted ? itemOf(status) : undefined;
  };
  const items = await readEach(ids, read, { width, left, onFailedMember });
  return encodeReply(listPods, { items });
}

const hasLabels = ({ labels }: PodSandboxStatus, wanted: { readonly [key: string]: string }): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

/** Converts a pod's status to a list item. */
function itemOf(status: PodSandboxStatus): PodSandbox {
  const { id, metadata, state, createdAt, labels, annotations, runtimeHandler } = status;
  const item = { id, state, createdAt, labels, annotations, runtimeHandler };
  return metadata === undefined ? item : { ...item, metadata };
}

// ---- Containers ----

async function containersInParts(whole: Whole): Promise<readonly Buffer[]> {
  const { filter } = requestOf(listContainers, whole.request);
  if (filter?.id) throw whole.tooLarge;
  const parts: Buffer[] = [];
  for (const state of enumNames("ContainerState")) {
    if (filter?.state && filter.state.state !== state) continue;
    const ofState = { ...filter, state: { state } };
    const part = await partOf(whole, listContainers, { filter: ofState });
    if (part !== undefined) parts.push(part);
    else if (filter?.podSandboxId) throw whole.tooLarge;
    else parts.push(...(await containersByPod(whole, ofState)));
  }
  return parts;
}

/** Reads the containers of a state pod by pod. If those of one pod are too large, that pod is the failed member. */
async function containersByPod(whole: Whole, filter: object): Promise<readonly Buffer[]> {
  const { runtime, left, onFailedMember } = whole;
  const read = (podSandboxId: string, options: CallOptions): Promise<Buffer> =>
    runtime.call(
      listContainers,
      encodeRequest(listContainers, { filter: { ...filter, podSandboxId } }),
      options,
    );
  return readEach(await everyPodId(whole), read, { width, left, onFailedMember });
}

async function everyPodId(whole: Whole): Promise<readonly string[]> {
  const ids = await podIdsOf(whole.runtime, whole.left).catch(() => undefined);
  if (ids !== undefined) return ids;
  const found = new Set<string>();
  for (const state of enumNames("PodSandboxState")) {
    const part = await partOf(whole, listPods, { filter: { state: { state } } });
    if (part === undefined) throw whole.tooLarge;
    for (const { id } of decodeReply(listPods, part).items) found.add(id);
  }
  return [...found];
}
