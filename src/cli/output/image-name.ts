/** Names of images for people. */
import { shortId } from "./short-ids.ts";

/** The parts of a reference; those that it does not have are empty. */
export interface ReferenceParts {
  /** `docker.io/library/busybox` */
  readonly repository: string;
  /** `1.35` */
  readonly tag: string;
  /** `sha256:5acb...` */
  readonly digest: string;
}

/** Takes every text, in linear time. */
export function splitReference(reference: string): ReferenceParts {
  const [name = "", ...digests] = reference.split("@");
  const colon = name.lastIndexOf(":");
  // A colon before a slash belongs to the port of the registry.
  const hasTag = colon > name.lastIndexOf("/");
  return {
    repository: hasTag ? name.slice(0, colon) : name,
    tag: hasTag ? name.slice(colon + 1) : "",
    digest: digests.join("@"),
  };
}

/** Without `docker.io/library/`, as docker takes it. */
export const shortRepository = (repository: string): string =>
  repository.replace(/^docker\.io\/(library\/)?/, "");

/**
 * As short as docker takes it: without `docker.io/library/`, and without the digest if there is a tag. A digest alone is cut
 * to 13 digits: `busybox@5acba83a746c7`.
 */
export function imageName(reference: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return shortId(reference);
  const { repository, tag, digest } = splitReference(reference);
  const name = shortRepository(repository);
  if (tag !== "") return `${name}:${tag}`;
  return digest === "" ? name : `${name}@${shortId(digest)}`;
}
