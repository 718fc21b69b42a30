/**
 * Builds container images (OCI image specification 1.0) from tar entries, in memory.
 *
 * Pure and deterministic: equal input gives equal digests. Layers are not compressed, because the output of a
 * compressor changes with its version.
 */

import { createHash } from "node:crypto";
import { type TarEntry, tar } from "./tar.ts";

/** Bytes with the media type and digest that registries and manifests use for them. */
export interface ImageBlob {
  readonly mediaType: string;
  /** `sha256:` followed by 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: Buffer;
}

/** An image. Push the layers and the config before the manifest. */
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
  /** The contents of the single layer. */
  readonly entries: readonly TarEntry[];
  /** `NAME=value` entries. */
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Default: the platform of this machine. */
  readonly platform?: ImagePlatform;
}

/** An image with all its names, each with domain and tag: `docker.io/library/busybox:1.35`. */
export interface NamedImage {
  readonly names: readonly string[];
  readonly image: Image;
}

/** Builds an image with one layer. */
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
    // Digests of the uncompressed layers. Ours are not compressed.
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
 * Builds an OCI image layout as one tar archive, for tools such as `ctr images import`.
 *
 * containerd takes the full name from the annotation `io.containerd.image.name`. Other tools use the standard
 * `org.opencontainers.image.ref.name`.
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

/** The image platform for a machine with `process.arch` of `arch`, with Go's architecture names. */
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
