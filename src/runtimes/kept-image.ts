/** Protects the image that pods start from: after its removal no pod could run. */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Image } from "../gen/messages.ts";

/**
 * Returns why the runtime needs `image`, as a phrase for an error; undefined if it does not.
 *
 * Not every runtime reports `pinned`; containerd 1.6 does not. Their configuration names the image of pods.
 */
export async function whyKept(
  runtime: Runtime,
  image: Image,
  options: CallOptions,
): Promise<string | undefined> {
  if (image.pinned) return "the runtime has pinned it";
  const id = await podImageId(runtime, options);
  return id === image.id ? "the runtime starts every pod from it" : undefined;
}

/**
 * The id of the image that pods start from; undefined if the runtime does not say, or the image is not on the node. Ids
 * are compared because the image may have other names, and is removed with all of them.
 */
export async function podImageId(runtime: Runtime, options: CallOptions): Promise<string | undefined> {
  const sandboxImage = await sandboxImageOf(runtime, options);
  return sandboxImage === undefined ? undefined : await idOf(runtime, sandboxImage, options);
}

/** Not cached: CRI-O can reload its configuration while running. */
async function sandboxImageOf(runtime: Runtime, options: CallOptions): Promise<string | undefined> {
  const { info } = await call(runtime, "RuntimeService/Status", { verbose: true }, options);
  try {
    const { sandboxImage } = JSON.parse(info.config ?? "{}") as { readonly sandboxImage?: unknown };
    return typeof sandboxImage === "string" && sandboxImage !== "" ? sandboxImage : undefined;
  } catch {
    return undefined;
  }
}

async function idOf(runtime: Runtime, name: string, options: CallOptions): Promise<string | undefined> {
  try {
    const { image } = await call(runtime, "ImageService/ImageStatus", { image: { image: name } }, options);
    return image?.id;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "not_found") return undefined;
    throw error;
  }
}
