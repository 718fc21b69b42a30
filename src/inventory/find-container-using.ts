/** Finds users of an image. Some runtimes refuse to remove an image in use; others remove it despite its containers. */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import type { Container, Image } from "../gen/messages.ts";

const digitsOf = (id: string): string => id.replace(/^sha256:/, "");

/** Returns a container created from `image`, in any state; undefined if there is none. */
export async function findContainerUsing(
  runtime: Runtime,
  image: Image,
  options: CallOptions,
): Promise<Container | undefined> {
  const { containers } = await call(runtime, "RuntimeService/ListContainers", {}, options);
  return containers.find((container) => isMadeFrom(container, image));
}

/** Whether a container was created from `image`. */
export function isMadeFrom({ imageId, imageRef }: Container, image: Image): boolean {
  // Do not compare names: a tag may since have moved to another image.
  return digitsOf(imageId || imageRef) === digitsOf(image.id) || image.repoDigests.includes(imageRef);
}
