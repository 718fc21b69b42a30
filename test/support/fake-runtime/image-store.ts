/** The images that a fake holds, and those that the registries of its world offer. */

import type { Manner } from "./manner.ts";
import { type ImageReference, imageIdDigits, parseReference } from "./references.ts";
import { digitsOf, type FakeImage, type RemoteImage, type State } from "./state.ts";
import type { World } from "./world.ts";

/** What a test says about an image; the rest follows from its names. */
export interface ImageInit {
  /** `busybox:1.36` and the like; each becomes a tag in full. */
  readonly tags: readonly string[];
  /** 64 hexadecimal digits; from the first tag by default. */
  readonly digits?: string;
  readonly sizeBytes?: number;
  /** Numeric or by name. */
  readonly user?: string;
  readonly pinned?: boolean;
  /** Imported under a digest alone, as `ctr images import --digests` does: containerd's CRI cannot remove that name. */
  readonly importedByDigest?: boolean;
  /** A server that runs on, by default. */
  readonly entrypoint?: readonly string[];
}

/**
 * An image from what a test says.
 *
 * @throws {Error} if a tag is no reference.
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

/** Puts a copy of an image into the state; one with the same digits gains its names. */
export function storeImage(state: State, image: FakeImage): FakeImage {
  const held = state.images.get(image.digits) ?? { ...image, repoTags: [], repoDigests: [] };
  for (const other of state.images.values()) {
    // A tag that moves leaves the image that had it.
    if (other !== held) other.repoTags = other.repoTags.filter((tag) => !image.repoTags.includes(tag));
  }
  held.repoTags = [...new Set([...held.repoTags, ...image.repoTags])];
  held.repoDigests = [...new Set([...held.repoDigests, ...image.repoDigests])];
  state.images.set(held.digits, held);
  return held;
}

/** What a fresh fake has, and what its registries offer. */
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

/** Puts an image into a registry of the fake world, where PullImage finds it. */
export function offer(
  state: State,
  init: ImageInit,
  credentials: RemoteImage["credentials"],
  fault?: RemoteImage["fault"],
): RemoteImage {
  const remote: RemoteImage = { image: makeImage(init), credentials, fault };
  for (const name of [...remote.image.repoTags, ...remote.image.repoDigests])
    state.remoteImages.set(name, remote);
  return remote;
}

/** The held image that a name or an id means, in every form that CreateContainer takes. */
export function resolveImage({ state, manner }: World, asked: string): FakeImage | undefined {
  const digits = imageIdDigits(asked);
  const isForeign = manner.habits.imageIds === "bare" && asked.startsWith("sha256:");
  return (isForeign ? undefined : byDigits(state, digits)) ?? byName(state, parseReference(asked));
}

/** Whether ImageStatus and RemoveImage take an id in this form. */
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
