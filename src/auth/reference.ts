/** Image references in their normal form, so that a prefix can be held against them. */

/**
 * `busybox` -> `docker.io/library/busybox:latest`, as containerd, Docker and CRI-O read it. What is
 * no reference at all comes back as it was: it is below no prefix, and the runtime will refuse it.
 *
 * Upper case is in no repository's name: a first part that has some is a host to newer runtimes
 * (distribution/reference), and hosts are the same in either case.
 */
export function normalReference(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash === -1 ? "" : reference.slice(0, slash);
  const named = first.toLowerCase();
  const hasHost = /[.:]/.test(first) || first === "localhost" || first !== named;
  const host = hasHost ? (named === "index.docker.io" ? "docker.io" : named) : "docker.io";
  const path = hasHost ? reference.slice(slash + 1) : reference;
  const inLibrary = host === "docker.io" && !path.includes("/") ? `library/${path}` : path;
  const hasTag = path.includes("@") || /:[^/]+$/.test(path);
  return `${host}/${inLibrary}${hasTag ? "" : ":latest"}`;
}
