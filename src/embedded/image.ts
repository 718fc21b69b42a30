/**
 * Makes container images (OCI image specification 1.0) out of tar entries, in memory.
 *
 * Pure and deterministic: equal input gives equal digests. Layers are not compressed, because what
 * a compressor writes changes with its version.
 */

import { createHash } from "node:crypto";
import { type TarEntry, tar } from "./tar.ts";

/** Bytes, with what a registry and a manifest say about them. */
export interface ImageBlob {
  readonly mediaType: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: Buffer;
}

/** An image: push the layers and the config, then the manifest. */
export interface Image {
  readonly manifest: ImageBlob;
  readonly config: ImageBlob;
  readonly layers: readonly ImageBlob[];
  readonly platform: ImagePlatform;
}

export interface ImagePlatform {
  readonly os: "linux";
  readonly architecture: string;
  readonly variant?: string;
}

export interface ImageSpec {
  /** The contents of the one layer. */
  readonly entries: readonly TarEntry[];
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Default: this machine's. */
  readonly platform?: ImagePlatform;
}

/** An image and all its names, each with domain and tag: `docker.io/library/busybox:1.35`. */
export interface NamedImage {
  readonly names: readonly string[];
  readonly image: Image;
}

/** An image of one layer. */
export function buildImage(spec: ImageSpec): Image {
  const platform = spec.platform ?? platformOf(process.arch);
  const layer = blob("application/vnd.oci.image.layer.v1.tar", tar(spec.entries));
  const config = jsonBlob("application/vnd.oci.image.config.v1+json", {
    created: "1970-01-01T00:00:00Z",
    ...platform,
    config: {
      ...(spec.env && { Env: spec.env }),
      ...(spec.entrypoint && { Entrypoint: spec.entrypoint }),
      ...(spec.cmd && { Cmd: spec.cmd }),
    },
    // Digests of the uncompressed layers, which these are.
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = jsonBlob(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: descriptorOf(config),
    layers: [descriptorOf(layer)],
  });
  return { manifest, config, layers: [layer], platform };
}

/**
 * An OCI image layout as one tar archive, for `ctr images import` and its like.
 *
 * `io.containerd.image.name` is the annotation that containerd takes a full name from; the standard
 * `org.opencontainers.image.ref.name` says the same to other tools.
 */
export function buildArchive(images: readonly NamedImage[]): Buffer {
  const manifests = images.flatMap(({ names, image }) =>
    names.map((name) => ({
      ...descriptorOf(image.manifest),
      platform: image.platform,
      annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
    })),
  );
  const blobs = new Map<string, Buffer>();
  for (const { image } of images) {
    for (const part of [...image.layers, image.config, image.manifest]) blobs.set(part.digest, part.bytes);
  }
  const json = (path: string, value: unknown): TarEntry => ({
    kind: "file",
    path,
    mode: 0o644,
    bytes: Buffer.from(JSON.stringify(value)),
  });
  return tar([
    json("oci-layout", { imageLayoutVersion: "1.0.0" }),
    { kind: "directory", path: "blobs", mode: 0o755 },
    { kind: "directory", path: "blobs/sha256", mode: 0o755 },
    ...Array.from(
      blobs,
      ([digest, bytes]): TarEntry => ({
        kind: "file",
        path: `blobs/${digest.replace(":", "/")}`,
        mode: 0o644,
        bytes,
      }),
    ),
    json("index.json", { schemaVersion: 2, manifests }),
  ]);
}

/** The platform of images for a machine whose `process.arch` is `arch` (the names are Go's). */
export function platformOf(arch: string): ImagePlatform {
  const variant = arch === "arm" ? { variant: "v7" } : {};
  const goNames: { readonly [arch: string]: string } = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };
  return { os: "linux", architecture: goNames[arch] ?? arch, ...variant };
}

function descriptorOf({ mediaType, digest, bytes }: ImageBlob) {
  return { mediaType, digest, size: bytes.length };
}

function jsonBlob(mediaType: string, value: unknown): ImageBlob {
  return blob(mediaType, Buffer.from(JSON.stringify(value)));
}

function blob(mediaType: string, bytes: Buffer): ImageBlob {
  return { mediaType, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes };
}
