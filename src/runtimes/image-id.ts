/** References to images on the node, which runtimes write and look up in different forms. */
import type { Runtime } from "../cri/channel.ts";
import { isRuntime } from "./identity.ts";

/** The hex digits of an image id, in full or shortened to at least 12; undefined for a name. */
export function imageIdDigits(reference: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(reference)?.[1];
}

/**
 * Returns a reference in the form in which `runtime` finds the image. An id is written as the runtime lists it: digits
 * only for CRI-O, `sha256:` and the digits for others. All of them find shortened ids without `sha256:`. Strips
 * `docker-pullable://` and `docker://`, which cri-dockerd shows in a container's `imageRef` but does not accept.
 */
export async function findableReference(runtime: Runtime, reference: string): Promise<string> {
  const plain = reference.replace(/^docker(-pullable)?:\/\//, "");
  const digits = imageIdDigits(plain);
  if (digits === undefined) return plain;
  if (digits.length < 64) return digits;
  return (await isRuntime(runtime, "cri-o")) ? digits : `sha256:${digits}`;
}
