/** Images for registries, made by the product's own code. */
import { buildImage, type Image } from "../../../src/embedded/image.ts";
import {
  type PushableImage,
  pushImage,
  type Registry,
  type RegistryCredentials,
} from "../../support/registry.ts";

/** A small image that cannot run; another content is another image. */
export function smallImage(content: string): Image {
  return buildImage({
    entries: [{ kind: "file", path: "content", mode: 0o644, bytes: Buffer.from(content) }],
  });
}

export interface PushOptions {
  /** `library/busybox`. */
  readonly name: string;
  /** Default: `latest`. */
  readonly tags?: readonly string[];
  readonly auth?: RegistryCredentials;
}

/**
 * Pushes an image under all its tags.
 *
 * @returns Its references, as pulls name them: `127.0.0.1:PORT/library/busybox:latest`.
 */
export async function push(
  registry: Registry,
  image: Image,
  { name, tags = ["latest"], auth }: PushOptions,
): Promise<readonly string[]> {
  const pushable: PushableImage = { manifest: image.manifest, blobs: [...image.layers, image.config] };
  for (const tag of tags) await pushImage(registry, pushable, { name, tag, ...(auth ? { auth } : {}) });
  return tags.map((tag) => `${registry.address}/${name}:${tag}`);
}
