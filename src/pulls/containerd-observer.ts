/**
 * The progress of pulls on containerd, read from its own services; CRI reports none.
 *
 * One loop looks at all pulls in progress, four times a second. containerd lists the blobs that are being written
 * (`Content/ListStatuses`) without saying for which image, so a blob is attributed by its digest: one that two images
 * have belongs to both. A layer is unpacked into a snapshot of its own, one layer at a time: it is being unpacked while
 * an active snapshot `extract-N-XXXX CHAINID` exists and its blob is complete, and it is done once the snapshot
 * `CHAINID` exists.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerdClient } from "../containerd/client.ts";
import { nanosOf } from "../containerd/timestamp.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { chainIdsOf, findManifest, type Manifest } from "./containerd-manifest.ts";
import type { LayerProgress, Progress } from "./progress.ts";
import type { Observe } from "./pull-registry.ts";
import { snapshotterOf } from "./snapshotter.ts";

/** Between two looks at all pulls, in milliseconds. */
const everyMs = 250;
/** The limit of each call of a look, and of the last look at a pull that has succeeded. */
const deadlineMs = 2000;
const lastLookMs = 500;
/** Usage walks through the files of a snapshot. It may take this part of the time at most. */
const maxUsageShare = 0.2;

/** A pull in progress, and what is known about it. */
interface Watch {
  readonly reference: string;
  readonly sinceNanos: bigint;
  readonly progress: Progress;
  manifest?: Manifest | undefined;
  /** Key of each layer's snapshot, by its digest. */
  chainIds?: ReadonlyMap<string, string> | undefined;
  readonly layers: Map<string, LayerProgress>;
  /** When the next Usage may begin, by `performance.now`. */
  usageAtMs: number;
}

/** Bytes that are written, by digest. */
type Written = ReadonlyMap<string, number>;

export interface ContainerdObserverOptions {
  readonly client: ContainerdClient;
  /** For the name of the snapshotter. */
  readonly runtime: Runtime;
}

/** Creates an observer, which stays silent on other runtimes. */
export function createContainerdObserver({ client, runtime }: ContainerdObserverOptions): Observe {
  const watches = new Set<Watch>();
  let isLooping = false;

  async function loop(): Promise<void> {
    if (isLooping) return;
    isLooping = true;
    while (watches.size > 0) {
      await lookAtAll();
      await sleep(everyMs, undefined, { ref: false });
    }
    isLooping = false;
  }

  async function lookAtAll(): Promise<void> {
    try {
      const written = await writtenNow(deadlineMs);
      for (const watch of watches) {
        watch.progress.resolving();
        await look(watch, { written, options: { deadlineMs } }).catch(ignoreFailure);
      }
    } catch (error) {
      // Not containerd: nothing will ever be known about these.
      if (error instanceof GatewayError && error.code === "not_implemented") watches.clear();
    }
  }

  async function writtenNow(limitMs: number): Promise<Written> {
    const { statuses } = await client.call("Content/ListStatuses", {}, { deadlineMs: limitMs });
    return new Map(statuses.map(({ ref, offset }) => [ref.slice(ref.indexOf("-") + 1), Number(offset)]));
  }

  /** Reads what has changed of one pull. */
  async function look(watch: Watch, { written, options, imageId }: Look): Promise<void> {
    watch.manifest ??= await findManifest(client, { ...watch, written, imageId }, options);
    const { manifest } = watch;
    if (manifest === undefined) return;
    const incomplete = manifest.layers.filter((layer) => !isComplete(watch.layers.get(layer.digest)));
    const isConfigNeeded = watch.chainIds === undefined;
    const blobs = await completeBlobs([
      ...incomplete.map(({ digest }) => digest),
      ...(isConfigNeeded ? [manifest.config] : []),
    ]);
    if (isConfigNeeded && blobs.has(manifest.config))
      watch.chainIds = await chainIdsOf(client, manifest, options);
    for (const { digest, sizeBytes } of incomplete) {
      const before = watch.layers.get(digest)?.downloadedBytes ?? 0;
      if (blobs.has(digest))
        watch.layers.set(digest, { digest, state: "downloaded", sizeBytes, downloadedBytes: sizeBytes });
      else {
        // Between two attempts, and just before it is complete, a blob is in neither list.
        const downloadedBytes = Math.min(written.get(digest) ?? before, sizeBytes);
        const state = downloadedBytes > 0 ? "downloading" : "waiting";
        watch.layers.set(digest, { digest, state, sizeBytes, downloadedBytes });
      }
    }
    if (watch.chainIds !== undefined) await lookAtSnapshots(watch, watch.chainIds, options);
    watch.progress.observe(manifest.layers.flatMap(({ digest }) => watch.layers.get(digest) ?? []));

    async function completeBlobs(digests: readonly string[]): Promise<ReadonlySet<string>> {
      const complete = new Set<string>();
      if (digests.length === 0) return complete;
      const filters = digests.map((digest) => `digest==${digest}`);
      for await (const { info } of client.stream("Content/List", { filters }, options))
        for (const { digest } of info) complete.add(digest);
      return complete;
    }
  }

  async function lookAtSnapshots(
    watch: Watch,
    chainIds: ReadonlyMap<string, string>,
    options: Look["options"],
  ): Promise<void> {
    const pending = [...watch.layers.values()].filter(({ state }) => state !== "done" && state !== "exists");
    if (pending.length === 0) return;
    const snapshotter = await snapshotterOf(runtime);
    const committed = new Map<string, bigint>();
    const extracting = new Map<string, string>();
    const names = pending.map(({ digest }) => `name==${chainIds.get(digest) ?? ""}`);
    const filters = [...names, 'kind==active,name~="^extract-"'];
    for await (const { info } of client.stream("Snapshots/List", { snapshotter, filters }, options)) {
      for (const { name, createdAt } of info) {
        const space = name.indexOf(" ");
        if (space === -1) committed.set(name, nanosOf(createdAt));
        else extracting.set(name.slice(space + 1), name);
      }
    }
    for (const layer of pending) {
      const chainId = chainIds.get(layer.digest) ?? "";
      const createdAt = committed.get(chainId);
      const key = extracting.get(chainId);
      if (createdAt !== undefined) {
        const { digest, sizeBytes } = layer;
        const isOld = createdAt < watch.sinceNanos && layer.state !== "unpacking";
        const done = { ...layer, state: isOld ? "exists" : "done", downloadedBytes: sizeBytes } as const;
        watch.layers.set(digest, isOld ? done : { ...done, ...(await usageOf(watch, chainId, true)) });
      } else if (key !== undefined && layer.state !== "waiting" && layer.state !== "downloading") {
        const usage = await usageOf(watch, key, false);
        watch.layers.set(layer.digest, { ...layer, state: "unpacking", ...usage });
      }
    }

    /** That of a committed snapshot is stored, so it is always read. */
    async function usageOf(
      { usageAtMs }: Watch,
      key: string,
      isCommitted: boolean,
    ): Promise<{ readonly unpackedBytes?: number }> {
      const beganAtMs = performance.now();
      if (!isCommitted && beganAtMs < usageAtMs) return {};
      try {
        const { size } = await client.call("Snapshots/Usage", { snapshotter, key }, options);
        return { unpackedBytes: Number(size) };
      } catch {
        // It was committed meanwhile.
        return {};
      } finally {
        const endedAtMs = performance.now();
        if (!isCommitted) watch.usageAtMs = endedAtMs + (endedAtMs - beganAtMs) / maxUsageShare;
      }
    }
  }

  return (reference, progress) => {
    const sinceNanos = BigInt(Date.now()) * 1_000_000n;
    const watch: Watch = { reference, sinceNanos, progress, layers: new Map(), usageAtMs: 0 };
    watches.add(watch);
    void loop();
    return {
      stop: () => watches.delete(watch),
      async last(imageId) {
        if (!watches.delete(watch)) return;
        const options = { deadlineMs: lastLookMs };
        const late = new AbortController();
        const timeout = sleep(lastLookMs, undefined, { signal: late.signal }).catch(() => undefined);
        const lastLook = look(watch, { written: new Map(), options, imageId }).catch(ignoreFailure);
        await Promise.race([lastLook, timeout]);
        late.abort();
      },
    };
  };
}

interface Look {
  readonly written: Written;
  readonly options: { readonly deadlineMs: number };
  readonly imageId?: string | undefined;
}

const isComplete = (layer: LayerProgress | undefined): boolean =>
  layer !== undefined && layer.state !== "waiting" && layer.state !== "downloading";

/** The next look may succeed. Progress is a service to the caller, and its failure is none of the pull. */
const ignoreFailure = (): void => undefined;
