/**
 * Normalizes image references, so that they can be compared with prefixes.
 *
 * References come from callers, so all functions make a single pass over the text, without regular expressions that
 * could backtrack.
 */

const hub = "docker.io";

/**
 * `busybox` -> `docker.io/library/busybox:latest`, as containerd, Docker and CRI-O interpret it. Idempotent. For an
 * invalid reference, the result matches no prefix, and the runtime refuses it.
 *
 * Host names are case-insensitive. Newer runtimes (distribution/reference) treat a first part with upper-case letters
 * as a host, because repository names have none. It is kept as is where lower case would turn it into a repository of
 * docker.io.
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

/** The host named by the first part of a reference; undefined if that part belongs to a docker.io repository. */
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

/** Removes the tag and digest of a reference: `docker.io/library/busybox`. */
export function repositoryOf(reference: string): string {
  const [name = ""] = reference.split("@", 1);
  const colon = name.indexOf(":", name.lastIndexOf("/") + 1);
  return colon === -1 ? name : name.slice(0, colon);
}

/** Where a reference or prefix points. */
export interface Place {
  /** `docker.io`, `[::1]`. */
  readonly host: string;
  /** The port's digits; empty if no port is given. */
  readonly port: string;
  /** Everything after the first slash: `library/busybox:latest`. */
  readonly path: string;
}

/** Splits a normalized reference or a prefix, such as `registry.example:5000/team`. */
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

/** Other names of Docker Hub. Its registry answers to all of them. */
const hubNames: ReadonlySet<string> = new Set([
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

/** Whether a host is Docker Hub, under any of its names. */
export const isHub = (host: string): boolean => host === hub || hubNames.has(host);
