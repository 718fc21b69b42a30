/**
 * Finds images that are checkpoints. CRI-O and containerd 2 restore a container from such an image in place of running
 * it, and know it by an annotation of its manifest.
 */
import type { ContainerdClient } from "../containerd/client.ts";
import { configLabel, readBlob } from "../containerd/read-blob.ts";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { Image } from "../gen/messages.ts";
import { InvalidJson, parseJson } from "../wire/parse-json.ts";

/** Returns those of the images that are checkpoints, as they are written. @throws {GatewayError} */
export type FindCheckpoints = (images: readonly string[]) => Promise<ReadonlySet<string>>;

/** The beginnings of the annotations, as today's tools and those of older versions of CRI-O write them. */
const prefixes = ["org.criu.checkpoint.", "io.kubernetes.cri-o.annotations.checkpoint."] as const;

const deadlineMs = 5000;

export function createCheckpointFinder(runtime: Runtime, containerd: ContainerdClient): FindCheckpoints {
  return async (images) => {
    const found = new Set<string>();
    for (const image of images) if (await isCheckpoint(runtime, containerd, image)) found.add(image);
    return found;
  };
}

async function isCheckpoint(
  runtime: Runtime,
  containerd: ContainerdClient,
  reference: string,
): Promise<boolean> {
  // The runtime refuses what is no reference when it shall run it.
  const { image } = await call(runtime, "ImageService/ImageStatus", { image: { image: reference } }).catch(
    unless("bad_reference", { image: undefined }),
  );
  if (image === undefined) return false;
  // CRI-O tells the annotations, containerd does not.
  if (Object.keys(image.spec?.annotations ?? {}).some(isMark)) return true;
  for (const digest of await manifestsOf(containerd, image).catch(unless("not_implemented", []))) {
    const blob = await readBlob(containerd, digest, { deadlineMs }).catch(unless("not_found", noBlob));
    if (blob === undefined || isMarked(blob)) return true;
  }
  return false;
}

const noBlob = Buffer.from("{}");

/**
 * The manifests and indexes of an image. containerd looks into that of any of its names, so that all of them count. An
 * image that was imported has no digest, and is found by its configuration.
 */
async function manifestsOf(
  containerd: ContainerdClient,
  { id, repoDigests }: Image,
): Promise<readonly string[]> {
  const digests = new Set(repoDigests.flatMap((name) => name.split("@").slice(1)));
  const filters = [`labels."${configLabel}"==${id}`];
  for await (const { info } of containerd.stream("Content/List", { filters }, { deadlineMs }))
    for (const { digest } of info) digests.add(digest);
  return [...digests];
}

/** What cannot be read without doubt counts as marked: containerd reads JSON less strictly. */
function isMarked(manifest: Buffer): boolean {
  try {
    return hasMark(parseJson(manifest));
  } catch (error) {
    if (error instanceof InvalidJson) return true;
    throw error;
  }
}

/** At any depth: containerd takes other spellings of `annotations` too. */
const hasMark = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(value).some(([name, inner]) => isMark(name) || hasMark(inner));

const isMark = (name: string): boolean => prefixes.some((prefix) => name.startsWith(prefix));

const unless =
  <T>(code: ErrorCode, instead: T) =>
  (error: unknown): T => {
    if (error instanceof GatewayError && error.code === code) return instead;
    throw error;
  };
