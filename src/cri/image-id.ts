/** Image ids, of which runtimes write and take different forms. */
import type { ImageSpec } from "../gen/messages.ts";
import type { Input } from "./codec.ts";

/**
 * The image to ask for: an id as CRI-O writes it, 64 digits, becomes `sha256:` and the digits, which every
 * runtime takes; cri-dockerd would look for a name. Other references stay.
 */
export function askable<I extends Input<ImageSpec>>(image: I): I {
  return /^[0-9a-f]{64}$/.test(image.image ?? "") ? { ...image, image: `sha256:${image.image}` } : image;
}
