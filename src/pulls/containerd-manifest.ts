/** Finds and reads the manifest of an image that containerd is pulling, before CRI knows the image. */
import { createHash } from "node:crypto";
import type { ContainerdClient } from "../containerd/client.ts";
import { configLabel, type ReadOptions, readBlob } from "../containerd/read-blob.ts";
import { nanosOf } from "../containerd/timestamp.ts";
import type { ContentInfo } from "../gen/containerd/messages.ts";

export interface ManifestLayer {
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface Manifest {
  /** Digest of the configuration, which is the image's id. */
  readonly config: string;
  /** In the image's order, each digest once. */
  readonly layers: readonly ManifestLayer[];
  /** Digests of the layers as the manifest has them: an empty layer may occur often. */
  readonly digests: readonly string[];
}

/** What is known about the manifest before it is found. */
export interface Wanted {
  /** A normalized reference: `docker.io/library/busybox:1.36`. */
  readonly reference: string;
  /** When the pull began, in nanoseconds since 1970. */
  readonly sinceNanos: bigint;
  /** Digests of the blobs that are being written. */
  readonly written: { has(digest: string): boolean };
  /** The image's id, once the pull has succeeded. */
  readonly imageId?: string | undefined;
}

const layerLabel = "containerd.io/gc.ref.content.l.";
const sourceLabel = "containerd.io/distribution.source.";
const maxLayers = 1024;
const digestPattern = /^[a-z0-9]{1,32}:[0-9a-f]{32,128}$/;

/** Whether a text from a manifest can be used in a filter. */
export const isDigest = (text: unknown): text is string =>
  typeof text === "string" && digestPattern.test(text);

/** Returns the manifest; undefined if it is not there yet, or if more than one could be meant. */
export async function findManifest(
  client: ContainerdClient,
  wanted: Wanted,
  options: ReadOptions,
): Promise<Manifest | undefined> {
  const found: ContentInfo[] = [];
  const filters = [`labels."${configLabel}"`];
  for await (const { info } of client.stream("Content/List", { filters }, options))
    found.push(...info.filter((one) => isCandidate(one, wanted)));
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) return undefined;
  return manifestFrom(await readJson(client, only.digest, options));
}

/**
 * containerd does not record which tag a manifest was resolved from. So it is one of the right repository that was
 * written after the pull began or, if it was there before, one whose layers are being written.
 */
function isCandidate({ digest, createdAt, updatedAt, labels }: ContentInfo, wanted: Wanted): boolean {
  const { reference, sinceNanos, written, imageId } = wanted;
  const { hostname, repository, pinned } = partsOf(reference);
  const sources = labels[`${sourceLabel}${hostname}`]?.split(",") ?? [];
  if (!sources.includes(repository)) return false;
  if (imageId !== undefined) return labels[configLabel] === imageId;
  if (digest === pinned || nanosOf(createdAt) >= sinceNanos || nanosOf(updatedAt) >= sinceNanos) return true;
  return Object.entries(labels).some(([name, value]) => name.startsWith(layerLabel) && written.has(value));
}

interface Parts {
  /** Without its port. */
  readonly hostname: string;
  readonly repository: string;
  readonly pinned: string | undefined;
}

/** `registry.example:5000/team/app:1@sha256:…` -> `registry.example`, `team/app`, `sha256:…`. */
function partsOf(reference: string): Parts {
  const slash = reference.indexOf("/");
  const [name = "", pinned] = reference.slice(slash + 1).split("@", 2);
  const colon = name.indexOf(":");
  return {
    hostname: reference.slice(0, slash).replace(/:\d{1,5}$/, ""),
    repository: colon === -1 ? name : name.slice(0, colon),
    pinned,
  };
}

/** Reads a manifest of Docker or OCI; undefined for anything else. */
function manifestFrom(value: unknown): Manifest | undefined {
  const { config, layers } = (value ?? {}) as { readonly config?: unknown; readonly layers?: unknown };
  const configDigest = (config as { readonly digest?: unknown } | undefined)?.digest;
  if (!isDigest(configDigest) || !Array.isArray(layers) || layers.length > maxLayers) return undefined;
  const read: ManifestLayer[] = [];
  for (const layer of layers as readonly ({ readonly digest?: unknown; readonly size?: unknown } | null)[]) {
    const { digest, size } = layer ?? {};
    if (!isDigest(digest) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      return undefined;
    read.push({ digest, sizeBytes: size });
  }
  const unique = new Map(read.map((layer) => [layer.digest, layer]));
  return { config: configDigest, layers: [...unique.values()], digests: read.map(({ digest }) => digest) };
}

/**
 * Returns the key of each layer's snapshot once it is unpacked, by the layer's digest; undefined if the configuration
 * does not fit the manifest. A layer that occurs twice has the key of its first occurrence.
 */
export async function chainIdsOf(
  client: ContainerdClient,
  { config, digests }: Manifest,
  options: ReadOptions,
): Promise<ReadonlyMap<string, string> | undefined> {
  const value = (await readJson(client, config, options)) as
    | { readonly rootfs?: { readonly diff_ids?: unknown } }
    | undefined;
  const diffIds = value?.rootfs?.diff_ids;
  if (!Array.isArray(diffIds) || diffIds.length !== digests.length || !diffIds.every(isDigest))
    return undefined;
  const chainIds = new Map<string, string>();
  let chainId = "";
  for (const [index, diffId] of diffIds.entries()) {
    chainId = chainId === "" ? diffId : `sha256:${sha256(`${chainId} ${diffId}`)}`;
    const digest = digests[index] ?? "";
    if (!chainIds.has(digest)) chainIds.set(digest, chainId);
  }
  return chainIds;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Reads a blob as JSON; undefined if it is too large or no JSON. */
async function readJson(client: ContainerdClient, digest: string, options: ReadOptions): Promise<unknown> {
  try {
    return JSON.parse(String(await readBlob(client, digest, options)));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
