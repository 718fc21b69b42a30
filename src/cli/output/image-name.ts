/** Names of images for people. */
import { shortId } from "./short-ids.ts";

/**
 * As short as docker takes it: without `docker.io/library/`, and without the digest if there is a tag. A digest alone is cut
 * to 13 digits: `busybox@5acba83a746c7`.
 */
export function imageName(reference: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return shortId(reference);
  const at = reference.indexOf("@");
  const name = (at === -1 ? reference : reference.slice(0, at)).replace(/^docker\.io\/(library\/)?/, "");
  const hasTag = /:[^/]*$/.test(name);
  return at === -1 || hasTag ? name : `${name}@${shortId(reference.slice(at + 1))}`;
}
