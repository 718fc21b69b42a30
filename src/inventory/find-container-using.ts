/** Who uses an image: some runtimes refuse to remove such an image, others take it from under its containers. */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import type { Container, Image } from "../gen/messages.ts";

const digitsOf = (id: string): string => id.replace(/^sha256:/, "");

/** A container that was made from `image`, in whatever state; undefined when there is none. */
export async function findContainerUsing(
  runtime: Runtime,
  image: Image,
  options: CallOptions,
): Promise<Container | undefined> {
  const { containers } = await call(runtime, "RuntimeService/ListContainers", {}, options);
  const digits = digitsOf(image.id);
  // Names are not asked: a tag may have moved to another image since.
  return containers.find(
    ({ imageId, imageRef }) =>
      digitsOf(imageId || imageRef) === digits || image.repoDigests.includes(imageRef),
  );
}
