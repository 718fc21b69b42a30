/** Pull failures caused by the registry, in the words of containerd, CRI-O (containers/image) and dockerd. */
import type { ImageReference } from "./references.ts";

export const registryFaults = [
  ...["rate limited", "rate limited with a message", "server error", "server error with a message"],
  ...["connection reset", "connection ended", "layer cut short", "timed out", "wrong digest"],
  ...["other platform", "plain HTTP", "unsigned", "disk full"],
] as const satisfies readonly string[];

export type RegistryFault = (typeof registryFaults)[number];
type Texts = { readonly [fault in RegistryFault]: string };

const limit =
  "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
const digests = `sha256:${"a".repeat(64)}, expected sha256:${"b".repeat(64)}`;

/** Measured on 1.6.20, 1.7.24 and 2.1.9, except "unsigned" and "disk full". */
export function containerdTexts(
  { name, repository, host, tag = "" }: ImageReference,
  version: string,
): Texts {
  const path = repository.slice(host.length + 1);
  const pull = `failed to pull and unpack image "${name}"`;
  const resolve =
    version === "2.1" ? `${pull}: failed to resolve image` : `${pull}: failed to resolve reference "${name}"`;
  const head =
    version === "1.6"
      ? `${resolve}: pulling from host ${host} failed with status code [manifests ${tag}]`
      : `${resolve}: unexpected status from HEAD request to https://${host}/v2/${path}/manifests/${tag}`;
  const verb = version === "2.1" ? "status from GET request to" : "status code";
  const get = `${pull}: failed to copy: httpReadSeeker: failed open: unexpected ${verb} https://${host}/v2/${path}/blobs/sha256:${"c".repeat(64)}`;
  const message = version === "2.1" ? "\n" : " - Server message: ";
  const request = `${resolve}: failed to do request: Head "https://${host}/v2/${path}/manifests/${tag}"`;
  const platform = version === "2.1" ? `get image config descriptor` : pull;
  return {
    "rate limited": `${head}: 429 Too Many Requests`,
    "rate limited with a message": `${get}: 429 Too Many Requests${message}toomanyrequests: ${limit}`,
    "server error": `${head}: 503 Service Unavailable`,
    "server error with a message": `${get}: 500 Internal Server Error${message}unauthorized: access denied`,
    "connection reset": `${request}: read tcp 127.0.0.1:38348->127.0.0.1:5000: read: connection reset by peer`,
    "connection ended": `${request}: EOF`,
    "layer cut short":
      version === "2.1"
        ? `${pull}: short read: expected 196 bytes but got 1: unexpected EOF`
        : `${pull}: failed to read expected number of bytes: unexpected EOF`,
    "timed out": `${request}: dial tcp 10.0.0.1:443: i/o timeout`,
    "wrong digest": `${pull}: failed commit on ref "config-sha256:${"b".repeat(64)}": unexpected commit digest ${digests}: failed precondition`,
    "other platform": `${platform}: no match for platform in manifest sha256:${"d".repeat(64)}: not found`,
    "plain HTTP": `${request}: http: server gave HTTP response to HTTPS client`,
    unsigned: `${pull}: image verifier bindir blocked pull of ${name} with digest sha256:${"d".repeat(64)} for reason: no signature`,
    "disk full": `${pull}: failed to extract layer sha256:${"e".repeat(64)}: write /var/lib/containerd/x: no space left on device: unknown`,
  };
}

export function criOTexts({ name, repository, host, tag = "" }: ImageReference): Texts {
  const source = `initializing source docker://${name}`;
  const manifest = `${source}: reading manifest ${tag} in ${repository}`;
  const ping = `pinging container registry ${host}: Get "https://${host}/v2/"`;
  const copy = "copying system image from manifest list";
  return {
    "rate limited": `${manifest}: received unexpected HTTP status: 429 Too Many Requests`,
    "rate limited with a message": `${manifest}: toomanyrequests: ${limit}`,
    "server error": `${manifest}: received unexpected HTTP status: 502 Bad Gateway`,
    "server error with a message": `pinging container registry ${host}: StatusCode: 503, "unauthorized: denied: "`,
    "connection reset": `${ping}: read tcp 10.0.0.2:38348->10.0.0.1:443: read: connection reset by peer`,
    "connection ended": `RegistryUnavailable: ${ping}: EOF`,
    "layer cut short": `${copy}: writing blob: storing blob to file "/var/tmp/x": happened during read: unexpected EOF`,
    "timed out": `${ping}: net/http: TLS handshake timeout`,
    "wrong digest": `${copy}: reading blob sha256:${"b".repeat(64)}: Digest did not match, expected sha256:${"b".repeat(64)}, got sha256:${"a".repeat(64)}`,
    "other platform": `choosing an image from manifest list docker://${name}: no image found in image index for architecture "arm64", variant "v8", OS "linux"`,
    "plain HTTP": `${ping}: http: server gave HTTP response to HTTPS client`,
    unsigned: `SignatureValidationFailed: Source image rejected: A signature was required, but no signature exists`,
    "disk full": `${copy}: writing blob: adding layer with blob "sha256:${"e".repeat(64)}": processing tar file(write /usr/lib/x: no space left on device): exit status 1`,
  };
}

export function dockerdTexts({ name, repository, host, tag = "" }: ImageReference): Texts {
  const path = repository.slice(host.length + 1);
  const head = `Head "https://${host}/v2/${path}/manifests/${tag}"`;
  const get = `Get "https://${host}/v2/"`;
  return {
    "rate limited": `received unexpected HTTP status: 429 Too Many Requests`,
    "rate limited with a message": `toomanyrequests: ${limit}`,
    "server error": `received unexpected HTTP status: 503 Service Unavailable`,
    "server error with a message": `${head}: received unexpected HTTP status: 500 Internal Server Error: denied: `,
    "connection reset": `${get}: read tcp 10.0.0.2:38348->10.0.0.1:443: read: connection reset by peer`,
    "connection ended": `${head}: EOF`,
    "layer cut short": "unexpected EOF",
    "timed out": `${get}: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`,
    "wrong digest": `filesystem layer verification failed for digest sha256:${"b".repeat(64)}`,
    "other platform": "no matching manifest for linux/arm64/v8 in the manifest list entries",
    "plain HTTP": `${get}: http: server gave HTTP response to HTTPS client`,
    unsigned: `image verifier bindir blocked pull of ${name} for reason: no signature`,
    "disk full": `write /var/lib/docker/tmp/GetImageBlob1: no space left on device`,
  };
}
