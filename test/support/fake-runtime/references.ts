/** Image references as parsed by every runtime except CRI-O: `busybox` is `docker.io/library/busybox:latest`. */
export interface ImageReference {
  /** For example `docker.io`, `127.0.0.1:5000`. */
  readonly host: string;
  /** Host and path, without tag and digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:` and 64 digits. */
  readonly digest: string | undefined;
  /** The full name: the repository with the digest, or else the tag. */
  readonly name: string;
  /** Whether it was written without a registry, which CRI-O refuses to guess. */
  readonly short: boolean;
}

const referencePattern =
  /^([a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::([A-Za-z0-9_][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/** Parses a reference. Returns `undefined` if it is invalid (empty, upper case, spaces). */
export function parseReference(text: string): ImageReference | undefined {
  const match = referencePattern.exec(text);
  if (match === null) return undefined;
  let path = match[1] ?? "";
  let tag = match[2];
  const digest = match[3];
  const first = path.split("/")[0] ?? "";
  const hosted = path.includes("/") && (/[.:]/.test(first) || first === "localhost");
  if (!hosted && path.includes(":")) {
    // The pattern matched a numeric tag as a port.
    tag = path.slice(path.indexOf(":") + 1);
    path = path.slice(0, path.indexOf(":"));
  }
  const repository = hosted ? path : path.includes("/") ? `docker.io/${path}` : `docker.io/library/${path}`;
  if (tag === undefined && digest === undefined) tag = "latest";
  return {
    host: repository.slice(0, repository.indexOf("/")),
    repository,
    tag,
    digest,
    name: digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`,
    short: !hosted,
  };
}

/** The digits of an image id: `sha256:` and 64 digits, 64 digits, or at least 12 of them. */
export function imageIdDigits(text: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(text)?.[1];
}
