import { status } from "@grpc/grpc-js";
import { GrpcFault } from "./fault.ts";
import { byDigits, byName, knowsId, resolveImage, storeImage } from "./image-store.ts";
import type { PullFailure } from "./manner.ts";
import type { ImageRequest, ListImagesRequest, PullImageRequest } from "./messages.ts";
import { type ImageReference, imageIdDigits, parseReference } from "./references.ts";
import type { RpcName } from "./rpc-names.ts";
import type { FakeImage, RemoteImage } from "./state.ts";
import { imageInfo } from "./verbose.ts";
import { type Handler, inListOrder, refuse, type World } from "./world.ts";

function imageAnswer({ manner }: World, image: FakeImage): object {
  const numeric = /^\d+$/.test(image.user);
  return {
    id: manner.habits.imageId(image.digits),
    repoTags: image.repoTags.map(manner.habits.imageName),
    repoDigests: image.repoDigests.map(manner.habits.imageName),
    size: String(image.sizeBytes),
    uid: numeric ? { value: image.user } : undefined,
    username: numeric ? undefined : image.user,
    pinned: manner.habits.tellsPinned && image.pinned,
  };
}

export const listImages: Handler<ListImagesRequest> = (world, request) => ({
  images: imageItems(world, request),
});

/** The list items, shared with the streamed list. */
export function imageItems(world: World, { filter }: ListImagesRequest): object[] {
  const asked = filter?.image?.image;
  const images = inListOrder(world, [...world.state.images.values()]);
  // Docker's filter accepts only names.
  const byName =
    world.manner.habits.imageIds === "whole with prefix" && imageIdDigits(asked ?? "") !== undefined;
  const wanted =
    asked && world.manner.habits.listImagesFilters && !byName ? resolveImage(world, asked) : undefined;
  const all = !asked || !world.manner.habits.listImagesFilters;
  return images.filter((image) => all || image === wanted).map((image) => imageAnswer(world, image));
}

/**
 * The image for ImageStatus and RemoveImage; `undefined` if the runtime responds without one.
 *
 * @throws {GrpcFault} if the runtime rejects a missing image or an invalid reference.
 */
function lookUpImage(world: World, rpc: RpcName, asked: string) {
  const { manner, state } = world;
  const digits = imageIdDigits(asked);
  if (digits !== undefined) {
    const image = knowsId(manner, asked, digits) ? byDigits(state, digits) : undefined;
    if (image === undefined) refuse(manner.refuse.imageAbsent(asked, undefined));
    return image;
  }
  const reference = parseReference(asked);
  if (reference === undefined) {
    refuse(manner.refuse.badReference(rpc, asked));
    return undefined;
  }
  const image = byName(state, reference);
  if (image === undefined) refuse(manner.refuse.imageAbsent(asked, reference));
  return image;
}

export const imageStatus: Handler<ImageRequest> = (world, { image: spec, verbose }, { rpc }) => {
  if (spec === undefined) refuse(world.manner.refuse.imageSpecMissing(rpc));
  const image = lookUpImage(world, rpc, spec?.image ?? "");
  if (image === undefined) return {};
  return { image: imageAnswer(world, image), info: verbose ? imageInfo(world, image) : undefined };
};

export const removeImage: Handler<ImageRequest> = (world, { image: spec }, { rpc }) => {
  const { refuse: refusals, habits } = world.manner;
  if (spec === undefined) refuse(refusals.imageSpecMissing(rpc));
  const asked = spec?.image ?? "";
  const image = lookUpImage(world, rpc, asked);
  if (image === undefined) return {};
  if (!habits.removesImagesByName && imageIdDigits(asked) === undefined) return {};
  const user = [...world.state.containers.values()].find((container) => container.image === image);
  if (user !== undefined) refuse(refusals.removeImageInUse(image, user));
  for (const name of [...image.repoTags, ...image.repoDigests, `sha256:${image.digits}`])
    world.containerdEvents.publish("/images/delete", { name });
  if (image.importedByDigest && world.manner.family === "containerd") image.repoTags = [];
  else world.state.images.delete(image.digits);
  return {};
};

export const pullImage: Handler<PullImageRequest> = async (world, { image: spec, auth }, { rpc, signal }) => {
  const { refuse: refusals, habits } = world.manner;
  if (spec === undefined) refuse(refusals.imageSpecMissing(rpc));
  const asked = spec?.image ?? "";
  const reference = parseReference(asked);
  if (reference === undefined) {
    refuse(refusals.badReference(rpc, asked));
    throw new Error(`Cannot go on with ${rpc}: no refusal for the reference ${asked}`);
  }
  const remote = world.state.remoteImages.get(reference.name);
  const failure = pullFailure(world, reference, remote, auth);
  if (failure !== undefined || remote === undefined) throw refusals.pull(failure ?? "absent", reference);
  await arrived(world, remote, { key: JSON.stringify([asked, auth]), signal });
  const image = storeImage(world.state, remote.image);
  for (const name of [...image.repoTags, ...image.repoDigests, `sha256:${image.digits}`])
    world.containerdEvents.publish("/images/create", { name });
  return { imageRef: habits.pulledRef(image) };
};

/** Waits for the image, or for the end of the pull that this one has joined. */
async function arrived(
  { state: { pulls }, manner }: World,
  { arrival, image }: RemoteImage,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal },
): Promise<void> {
  if (arrival === undefined) return;
  const gone = new Promise<never>((_resolve, reject) => {
    const text = `reading blob sha256:${image.digits}: context canceled`;
    signal.addEventListener("abort", () => reject(new GrpcFault(status.CANCELLED, text)));
  });
  gone.catch(() => undefined);
  const joined = manner.habits.mergesPulls ? pulls.get(key) : undefined;
  if (joined !== undefined) return await Promise.race([joined, gone]);
  const pull = Promise.race([arrival, gone]);
  pulls.set(key, pull);
  try {
    await pull;
  } finally {
    if (pulls.get(key) === pull) pulls.delete(key);
  }
}

function pullFailure(
  { state, manner }: World,
  reference: ImageReference,
  remote: RemoteImage | undefined,
  auth: PullImageRequest["auth"],
): PullFailure | undefined {
  if (remote === undefined) {
    const known = [...state.remoteImages.keys()].some((name) => name.startsWith(`${reference.host}/`));
    if (known) return "absent";
    return /^(localhost|127\.|\[::1\])/.test(reference.host) ? "refused" : "no such host";
  }
  if (remote.fault !== undefined) return remote.fault;
  if (remote.credentials === undefined) return undefined;
  const given = credentialsOf(auth, manner);
  if (given === undefined) return "no credentials";
  const { username, password } = remote.credentials;
  return given.username === username && given.password === password ? undefined : "bad credentials";
}

/** `username` and `password`, or both as base64 in `auth`, which cri-dockerd ignores. */
function credentialsOf(
  auth: PullImageRequest["auth"],
  { family }: World["manner"],
): { username: string; password: string } | undefined {
  if (auth?.username) return { username: auth.username, password: auth.password ?? "" };
  if (!auth?.auth || family === "cri-dockerd") return undefined;
  const [username = "", ...password] = Buffer.from(auth.auth, "base64").toString().split(":");
  return { username, password: password.join(":") };
}
