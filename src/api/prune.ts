/** Removes what nothing uses any more: images without containers, and pods that have stopped. */
import type { Caller } from "../access/authorize.ts";
import { maxAgeMs } from "../config/quantities.ts";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Container, Image, PodSandbox } from "../gen/messages.ts";
import { findContainerUsing, isMadeFrom } from "../inventory/find-container-using.ts";
import type { AnswerOf } from "../routes/answers.ts";
import type { ParametersOf } from "../routes/parameter-schemas.ts";
import { podImageId } from "../runtimes/kept-image.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import { imageInUse } from "./image-in-use.ts";
import { matchesLabels, parseLabelSelector } from "./label-selector.ts";
import { durationParameter } from "./time-parameters.ts";

type Failure = AnswerOf<"pruneImages">["failures"][number];

/** How many pods are removed, or containers read, at once. */
const width = 4;

/**
 * Removes the images that nothing uses, unless `dryRun`. An image that cannot be removed does not stop the others.
 *
 * @throws As `Runtime.call`, when it cannot be determined what is in use.
 */
export async function pruneImages(
  runtime: Runtime,
  { dryRun, untagged }: ParametersOf<"pruneImages">,
  { caller, ...options }: CallOptions & { readonly caller: Caller },
): Promise<AnswerOf<"pruneImages">> {
  const { images } = await call(runtime, "ImageService/ListImages", {}, options);
  // After the images, so that a container that is created meanwhile counts.
  const { containers } = await call(runtime, "RuntimeService/ListContainers", {}, options);
  const podImage = await podImageId(runtime, options);
  const isFree = (image: Image): boolean =>
    !image.pinned && image.id !== podImage && !containers.some((container) => isMadeFrom(container, image));
  const free = images.filter((image) => isFree(image) && (!untagged || !isTagged(image)));
  const mounted = free.length === 0 ? new Set() : await mountedImages(runtime, containers, options);
  const candidates = free.filter(({ id, repoTags, repoDigests }) =>
    [id, ...repoTags, ...repoDigests].every((name) => !mounted.has(name)),
  );
  candidates.sort((one, other) => (one.id < other.id ? -1 : 1));
  const { done, failures } = dryRun
    ? nothingDone
    : await removeEach(candidates, 1, async (image) => {
        const user = await findContainerUsing(runtime, image, options);
        if (user !== undefined) throw imageInUse(image.id, user, caller);
        await call(runtime, "ImageService/RemoveImage", { image: { image: image.id } }, options);
      });
  const pruned = candidates.map((image) => ({
    id: image.id,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    reason: isTagged(image) ? ("unused" as const) : ("untagged" as const),
    bytes: Number(image.size),
    removed: done.has(image.id),
  }));
  return { dryRun, images: pruned, bytes: sumOf(pruned, dryRun), failures };
}

/** cri-dockerd calls an image without a name `<none>:<none>`. */
const isTagged = ({ repoTags }: Image): boolean => repoTags.some((tag) => !tag.startsWith("<none>"));

/** The ids and names of images that containers mount, which the list of containers does not show. */
async function mountedImages(
  runtime: Runtime,
  containers: readonly Container[],
  options: CallOptions,
): Promise<ReadonlySet<string>> {
  const mounted = new Set<string>();
  await forEach(containers, width, async ({ id: containerId }) => {
    try {
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
      for (const { image } of status?.mounts ?? []) {
        if (!image?.image) continue;
        mounted.add(image.image);
        const { image: found } = await call(runtime, "ImageService/ImageStatus", { image }, options);
        if (found) mounted.add(found.id);
      }
    } catch (error) {
      // It has been removed meanwhile.
      if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
    }
  });
  return mounted;
}

/**
 * Removes the pods that have stopped, unless `dryRun`. A pod that cannot be removed does not stop the others.
 *
 * @throws {GatewayError} `invalid_request`; as `Runtime.call`, when the pods cannot be listed.
 */
export async function prunePods(
  runtime: Runtime,
  parameters: ParametersOf<"prunePods">,
  options: CallOptions,
): Promise<AnswerOf<"prunePods">> {
  const { dryRun } = parameters;
  const isWanted = podFilter(parameters);
  const filter = { state: { state: "SANDBOX_NOTREADY" as const } };
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", { filter }, options);
  const { containers } = await call(runtime, "RuntimeService/ListContainers", {}, options);
  // If only the pod's own process has ended, its containers may still run.
  const busy = new Set(
    containers.filter(({ state }) => mayRun.has(state)).map(({ podSandboxId }) => podSandboxId),
  );
  const candidates = items.filter((pod) => isWanted(pod) && !busy.has(pod.id));
  candidates.sort((one, other) => (BigInt(one.createdAt) < BigInt(other.createdAt) ? -1 : 1));
  const bytesOf = candidates.length === 0 ? noBytes : await writtenBytes(runtime, options);
  const { done, failures } = dryRun
    ? nothingDone
    : await removeEach(candidates, width, async ({ id: podSandboxId }) => {
        await call(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId }, options);
      });
  const pruned = candidates.map((pod) => {
    const own = containers.filter(({ podSandboxId }) => podSandboxId === pod.id);
    const bytes = own.map(({ id }) => bytesOf(id));
    return {
      id: pod.id,
      namespace: pod.metadata?.namespace ?? "",
      name: pod.metadata?.name ?? "",
      createdAt: pod.createdAt,
      managed: isManaged(pod),
      containers: own.length,
      reason: "stopped" as const,
      ...(bytes.every((one) => one !== undefined)
        ? { bytes: bytes.reduce((sum: number, one) => sum + (one ?? 0), 0) }
        : {}),
      removed: done.has(pod.id),
    };
  });
  return { dryRun, pods: pruned, bytes: sumOf(pruned, dryRun), failures };
}

const mayRun: ReadonlySet<string> = new Set<Container["state"]>(["CONTAINER_RUNNING", "CONTAINER_UNKNOWN"]);

const isManaged = ({ labels }: PodSandbox): boolean => labels[managedLabel] === "true";

function podFilter(parameters: ParametersOf<"prunePods">): (pod: PodSandbox) => boolean {
  const { olderThan = "0", labelSelector = "", namespace, unmanaged } = parameters;
  const requirements = parseLabelSelector(labelSelector);
  const ageMs = durationParameter("olderThan", olderThan, 0, maxAgeMs);
  const createdBefore = BigInt(Date.now() - ageMs) * 1_000_000n;
  return (pod) =>
    (unmanaged || isManaged(pod)) &&
    BigInt(pod.createdAt) <= createdBefore &&
    (namespace === undefined || pod.metadata?.namespace === namespace) &&
    matchesLabels(requirements, new Map(Object.entries(pod.labels)));
}

type BytesOf = (containerId: string) => number | undefined;
const noBytes: BytesOf = () => undefined;

/** What each container has written into its own layer. Unknown if the runtime cannot say. */
async function writtenBytes(runtime: Runtime, options: CallOptions): Promise<BytesOf> {
  try {
    const { stats } = await call(runtime, "RuntimeService/ListContainerStats", {}, options);
    const found = new Map(
      stats.map(({ attributes, writableLayer }) => [attributes?.id, writableLayer?.usedBytes?.value]),
    );
    return (id) => {
      const value = found.get(id);
      return value === undefined ? undefined : Number(value);
    };
  } catch (error) {
    if (error instanceof GatewayError) return noBytes;
    throw error;
  }
}

// ---- Removing ----

interface Removal {
  /** The ids of what was removed. */
  readonly done: ReadonlySet<string>;
  readonly failures: readonly Failure[];
}

const nothingDone: Removal = { done: new Set(), failures: [] };

/** @throws {CallCancelled} When the client has left. */
async function removeEach<T extends { readonly id: string }>(
  all: readonly T[],
  atOnce: number,
  remove: (one: T) => Promise<void>,
): Promise<Removal> {
  const done = new Set<string>();
  const failures: Failure[] = [];
  await forEach(all, atOnce, async (one) => {
    try {
      await remove(one);
      done.add(one.id);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      failures.push({ id: one.id, code: error.code, detail: error.message });
    }
  });
  failures.sort((one, other) => (one.id < other.id ? -1 : 1));
  return { done, failures };
}

async function forEach<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const waiting = all.toReversed();
  const worker = async (): Promise<void> => {
    try {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) await work(one);
    } catch (error) {
      waiting.length = 0;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const sumOf = (
  all: readonly { readonly bytes?: number; readonly removed: boolean }[],
  dryRun: boolean,
): number => all.reduce((sum, { bytes = 0, removed }) => (dryRun || removed ? sum + bytes : sum), 0);
