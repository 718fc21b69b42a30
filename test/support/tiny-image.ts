import { gzipSync } from "node:zlib";
import { digestOf, type PushableImage } from "./registry.ts";

/**
 * Creates an image with one small file, for tests that need any image. It cannot run.
 *
 * @param options.content The content of the file. Different content gives a different image.
 * @param options.format Default: OCI.
 * @param options.labels Labels in its config. Default: none.
 * @param options.annotations Annotations of its manifest. Default: none.
 */
export function tinyImage({
  content = "tiny\n",
  format = "oci",
  labels = {},
  annotations,
}: {
  content?: string;
  format?: "oci" | "docker";
  labels?: { readonly [name: string]: string };
  annotations?: { readonly [name: string]: string };
} = {}): PushableImage {
  const types = mediaTypes[format];
  const tar = tarOfOneFile("tiny.txt", Buffer.from(content));
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      created: "2026-01-01T00:00:00Z",
      config: { Cmd: ["/tiny"], Labels: labels },
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
      history: [{ created: "2026-01-01T00:00:00Z", created_by: "crest tests" }],
    }),
  );
  const blob = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: blob(types.config, config),
      layers: [blob(types.layer, layer)],
      annotations,
    }),
  );
  return {
    manifest: { bytes: manifest, mediaType: types.manifest },
    blobs: [layer, config].map((bytes) => ({ digest: digestOf(bytes), bytes })),
  };
}

const mediaTypes = {
  oci: {
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
  docker: {
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
};

/** A ustar archive: one header, the content padded to 512 bytes, two empty blocks. */
function tarOfOneFile(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\0", 257);
  header.write("00", 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
