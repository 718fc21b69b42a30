/** Image references, as every runtime but CRI-O reads them: `busybox` is `docker.io/library/busybox:latest`. */
export interface ImageReference {
  /** `docker.io`, `127.0.0.1:5000`. */
  readonly host: string;
  /** Host and path, without tag and digest. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:` and 64 digits. */
  readonly digest: string | undefined;
  /** The whole: repository and digest, else tag. */
  readonly name: string;
  /** Whether it was written without a registry: CRI-O refuses to guess one. */
  readonly short: boolean;
}

const referencePattern =
  /^([a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::([A-Za-z0-9_][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/** Reads a reference; `undefined` if it is none (empty, upper case, spaces). */
export function parseReference(text: string): ImageReference | undefined {
  const match = referencePattern.exec(text);
  if (match === null) return undefined;
  let path = match[1] ?? "";
  let tag = match[2];
  const digest = match[3];
  const first = path.split("/")[0] ?? "";
  const hosted = path.includes("/") && (/[.:]/.test(first) || first === "localhost");
  if (!hosted && path.includes(":")) {
    // The pattern took a tag of digits for a port.
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

/** `sha256:` and 64 digits, 64 digits, or 12 and more of them: the ways to write an image id. */
export function imageIdDigits(text: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(text)?.[1];
}
