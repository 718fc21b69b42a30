/** References to images on the node, of which runtimes write and find different forms. */
import type { Runtime } from "../cri/channel.ts";
import { isRuntime } from "./identity.ts";

/** The hex digits of an image's id, whole or shortened to at least 12; undefined when it is a name. */
export function imageIdDigits(reference: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(reference)?.[1];
}

/**
 * A reference in the form in which `runtime` finds the image: an id as the runtime lists it, which for CRI-O is the
 * digits alone and for others `sha256:` and the digits. Shortened ids are found without `sha256:` by all of them.
 * Takes `docker-pullable://` and `docker://` away, which cri-dockerd shows in a container's `imageRef` and does not
 * take back.
 */
export async function findableReference(runtime: Runtime, reference: string): Promise<string> {
  const plain = reference.replace(/^docker(-pullable)?:\/\//, "");
  const digits = imageIdDigits(plain);
  if (digits === undefined) return plain;
  if (digits.length < 64) return digits;
  return (await isRuntime(runtime, "cri-o")) ? digits : `sha256:${digits}`;
}
