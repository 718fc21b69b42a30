/** The images that a fake holds, and those that its registries offer. */

import type { Manner } from "./manner.ts";
import { type ImageReference, imageIdDigits, parseReference } from "./references.ts";
import { digitsOf, type FakeImage, type RemoteImage, type State } from "./state.ts";
import type { World } from "./world.ts";

/** The description of an image in a test. Everything else derives from its names. */
export interface ImageInit {
  /** `busybox:1.36` and the like. Each is expanded to a full tag. */
  readonly tags: readonly string[];
  /** 64 hexadecimal digits. Default: derived from the first tag. */
  readonly digits?: string;
  readonly sizeBytes?: number;
  /** Numeric id or name. */
  readonly user?: string;
  readonly pinned?: boolean;
  /** Imported only by digest, like `ctr images import --digests`: containerd's CRI cannot remove that name. */
  readonly importedByDigest?: boolean;
  /** Default: a server that keeps running. */
  readonly entrypoint?: readonly string[];
}

/**
 * Creates an image from its description.
 *
 * @throws {Error} if a tag is not a valid reference.
 */
export function makeImage(init: ImageInit): FakeImage {
  const references = init.tags.map((tag) => {
    const reference = parseReference(tag);
    if (reference === undefined) throw new Error(`Cannot make an image: no reference: ${tag}`);
    return reference;
  });
  const first = references[0]?.name ?? "";
  const digits = init.digits ?? digitsOf(`image ${first}`);
  const manifest = digitsOf(`manifest ${digits}`);
  return {
    digits,
    repoTags: references.filter(({ tag }) => tag !== undefined).map(({ name }) => name),
    repoDigests: [...new Set(references.map(({ repository }) => `${repository}@sha256:${manifest}`))],
    sizeBytes: init.sizeBytes ?? 4_300_000,
    user: init.user ?? "",
    pinned: init.pinned ?? false,
    importedByDigest: init.importedByDigest ?? false,
    entrypoint: init.entrypoint ?? ["/entrypoint"],
  };
}

/** Adds a copy of an image to the state. An image with the same digits gets the additional names. */
export function storeImage(state: State, image: FakeImage): FakeImage {
  const held = state.images.get(image.digits) ?? { ...image, repoTags: [], repoDigests: [] };
  for (const other of state.images.values()) {
    // A moved tag no longer belongs to its previous image.
    if (other !== held) other.repoTags = other.repoTags.filter((tag) => !image.repoTags.includes(tag));
  }
  held.repoTags = [...new Set([...held.repoTags, ...image.repoTags])];
  held.repoDigests = [...new Set([...held.repoDigests, ...image.repoDigests])];
  state.images.set(held.digits, held);
  return held;
}

/** Adds the initial images of a fake and those that its registries offer. */
export function addUsualImages(state: State): void {
  storeImage(
    state,
    makeImage({ tags: ["registry.k8s.io/pause:3.10"], pinned: true, entrypoint: ["/pause"] }),
  );
  storeImage(state, makeImage({ tags: ["busybox:1.36"], entrypoint: ["sh"] }));
  const offers = ["busybox:1.36", "busybox:latest", "alpine:3.20", "nginx:1.27", "quay.io/team/app:1"];
  for (const tag of offers) offer(state, { tags: [tag] }, undefined);
  offer(state, { tags: ["quay.io/private/app:1"] }, { username: "reader", password: "open sesame" });
}

/** Adds an image to a simulated registry, for PullImage. */
export function offer(
  state: State,
  init: ImageInit,
  credentials: RemoteImage["credentials"],
  { fault, arrival }: Pick<RemoteImage, "fault" | "arrival"> = {},
): RemoteImage {
  const remote: RemoteImage = { image: makeImage(init), credentials, fault, arrival };
  for (const name of [...remote.image.repoTags, ...remote.image.repoDigests])
    state.remoteImages.set(name, remote);
  return remote;
}

/** The stored image for a name or an id, in any form that CreateContainer accepts. */
export function resolveImage({ state, manner }: World, asked: string): FakeImage | undefined {
  const digits = imageIdDigits(asked);
  const isForeign = manner.habits.imageIds === "bare" && asked.startsWith("sha256:");
  return (isForeign ? undefined : byDigits(state, digits)) ?? byName(state, parseReference(asked));
}

/** Whether ImageStatus and RemoveImage accept an id in this form. */
export function knowsId({ habits }: Manner, asked: string, digits: string): boolean {
  const hasPrefix = asked.startsWith("sha256:");
  switch (habits.imageIds) {
    case "both":
      return true;
    case "bare":
      return !hasPrefix;
    case "whole with prefix":
      return hasPrefix === (digits.length === 64);
  }
}

export function byDigits(state: State, digits: string | undefined): FakeImage | undefined {
  if (digits === undefined) return undefined;
  return [...state.images.values()].find((image) => image.digits.startsWith(digits));
}

export function byName(state: State, reference: ImageReference | undefined): FakeImage | undefined {
  if (reference === undefined) return undefined;
  const { name } = reference;
  return [...state.images.values()].find(
    (image) => image.repoTags.includes(name) || image.repoDigests.includes(name),
  );
}
