/**
 * Image references in their normal form, so that a prefix can be held against them.
 *
 * A caller writes them, so everything here is one pass over the text: no regular expression that could backtrack.
 */

const hub = "docker.io";

/**
 * `busybox` -> `docker.io/library/busybox:latest`, as containerd, Docker and CRI-O read it. The normal form is its
 * own normal form. What is no reference comes back in a form that is below no prefix, and the runtime refuses it.
 *
 * Hosts are the same in upper and lower case. A first part in upper case is a host to newer runtimes
 * (distribution/reference), because no repository's name has any. It stays as it is where lower case would make it
 * a repository of docker.io.
 */
export function normalReference(reference: string): string {
  const slash = reference.indexOf("/");
  const first = slash === -1 ? "" : reference.slice(0, slash);
  const host = hostOf(first);
  const path = host === undefined ? reference : reference.slice(slash + 1);
  const name = host === undefined || host === "index.docker.io" ? hub : host;
  const inLibrary = name === hub && !path.includes("/") ? `library/${path}` : path;
  return `${name}/${inLibrary}${hasTagOrDigest(path) ? "" : ":latest"}`;
}

/** The host that the first part of a reference names; undefined when it belongs to a repository of docker.io. */
function hostOf(first: string): string | undefined {
  const lower = first.toLowerCase();
  if (first.includes(".") || first.includes(":") || lower === "localhost") return lower;
  return first === lower ? undefined : first;
}

function hasTagOrDigest(path: string): boolean {
  if (path.includes("@")) return true;
  const colon = path.indexOf(":", path.lastIndexOf("/") + 1);
  return colon !== -1 && colon < path.length - 1;
}

/** A reference without its tag and its digest: `docker.io/library/busybox`. */
export function repositoryOf(reference: string): string {
  const [name = ""] = reference.split("@", 1);
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  return colon === -1 ? name : name.slice(0, colon);
}

/** Where a reference, or a prefix of some, points. */
export interface Place {
  /** `docker.io`, `[::1]`. */
  readonly host: string;
  /** Its digits; empty when none is given. */
  readonly port: string;
  /** What stands behind the first slash: `library/busybox:latest`. */
  readonly path: string;
}

/** The parts of a reference in its normal form, or of a prefix: `registry.example:5000/team`. */
export function placeOf(reference: string): Place {
  const slash = reference.indexOf("/");
  const authority = slash === -1 ? reference : reference.slice(0, slash);
  const path = slash === -1 ? "" : reference.slice(slash + 1);
  const colon = authority.lastIndexOf(":");
  const port = colon === -1 ? "" : authority.slice(colon + 1);
  if (port === "" || !isDigits(port)) return { host: authority, port: "", path };
  return { host: authority.slice(0, colon), port, path };
}

function isDigits(text: string): boolean {
  for (const character of text) if (character < "0" || character > "9") return false;
  return true;
}

/** Names of Docker Hub besides docker.io: its registry answers to each of them. */
const hubNames: ReadonlySet<string> = new Set([
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

/** Whether a host is Docker Hub, under any of its names. */
export const isHub = (host: string): boolean => host === hub || hubNames.has(host);
