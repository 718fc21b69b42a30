/** Decides whether a path of the node that a request names may be used under the host words of its caller. */
import { posix } from "node:path";
import { isBelow, resolveTrusted, UntrustedPathError } from "../../files/trusted-path.ts";
import type { Ask } from "./ask.ts";
import { type HostGrant, type HostLayer, realPath } from "./host-grant.ts";
import { overlap, readMountTable } from "./mount-table.ts";

/** The path without links, or why it may not be used, whatever word is granted. */
export type NodePath = { readonly path: string } | { readonly why: string };

/**
 * Resolves a path at the time of use. The result leads to the same place when the runtime follows it later: only root
 * can change any part of it.
 *
 * @param kept Paths that no pod may reach: the gateway's own files and the runtime's socket.
 */
export function resolveNodePath({ value = "", creates }: Ask, kept: readonly string[]): NodePath {
  if (!value.startsWith("/")) return { why: "is not an absolute path" };
  if (value.split("/").includes("..")) return { why: 'has ".." in it' };
  let path: string;
  try {
    const found = resolveTrusted(value);
    if (found.missing.length > 0 && !creates) return { why: "does not exist on the node" };
    path = posix.join(found.path, ...found.missing);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      why:
        error instanceof UntrustedPathError
          ? `is not safe from others: ${why}`
          : `cannot be resolved: ${why}`,
    };
  }
  if (overlaps(path, "/proc")) return { why: "is in /proc, or contains it" };
  const table = readMountTable();
  const own = table.placeOf(path);
  const places = [...(own === undefined ? [] : [own]), ...table.below(path)];
  if (places.some(({ type }) => type === "proc")) return { why: "contains a /proc" };
  for (const one of kept.map(realPath)) {
    const place = table.placeOf(one);
    if (overlaps(path, one) || (place && places.some((other) => overlap(place, other))))
      return { why: "contains files of the gateway or the runtime, or is one of them" };
  }
  return { path };
}

const overlaps = (one: string, other: string): boolean => isBelow(one, other) || isBelow(other, one);

/**
 * Why a granted path may still not be used; undefined if it may.
 *
 * A container that may write to a folder can replace what is in it by links while the runtime follows the path. And a
 * read-only mount leaves the file systems mounted below it writable.
 */
export function whyUnsafe(path: string, ask: Ask, { layers }: HostGrant): string | undefined {
  for (const layer of layers) {
    const why = layer.isOpen ? undefined : whyUnsafeIn(layer, path, ask);
    if (why !== undefined) return why;
  }
  return undefined;
}

function whyUnsafeIn({ mounts }: HostLayer, path: string, { word, readonly }: Ask): string | undefined {
  const writable = mounts.filter((mount) => !mount.readonly);
  const above = writable.find((mount) => mount.path !== path && isBelow(path, mount.path));
  if (above !== undefined)
    return `is in ${above.path}, which containers may write to, so that it could be replaced by a link`;
  if (word !== "mount" || writable.some((mount) => mount.path === path)) return undefined;
  const table = readMountTable();
  const [inner] = table.below(path);
  if (readonly && inner !== undefined)
    return `has another file system at ${inner.mountPoint}, which would stay writable`;
  const at = table.placeOf(path)?.mountPoint ?? "/";
  const isNamed = mounts.some((mount) => isBelow(path, mount.path) && isBelow(mount.path, at));
  return isNamed ? undefined : `is on another file system, mounted at ${at}`;
}
