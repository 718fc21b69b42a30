/** Images with several layers that take their time, and a registry that sends them slowly. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { tar } from "../../src/embedded/tar.ts";
import type { RegistryFault } from "./faulty-registry.ts";
import { digestOf, type PushableImage } from "./registry.ts";

/** One layer: random bytes take time to download, zeros to unpack. */
export interface LayerInit {
  readonly randomBytes?: number;
  readonly zeroBytes?: number;
}

export interface LayeredImage extends PushableImage {
  /** In their order. */
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

/** Creates an image that cannot run. Each is a new one, unless `shared` gives the first layers of another one. */
export function layeredImage(init: readonly LayerInit[], shared?: LayeredImage): LayeredImage {
  const own = init.map(({ randomBytes: random = 0, zeroBytes = 0 }, index) => {
    const bytes = Buffer.concat([randomBytes(random + 16), Buffer.alloc(zeroBytes)]);
    const plain = tar([{ kind: "file", path: `layer-${index}`, mode: 0o644, bytes }]);
    const packed = gzipSync(plain, { level: 1 });
    return { diffId: digestOf(plain), digest: digestOf(packed), bytes: packed, size: packed.length };
  });
  const first = shared === undefined ? [] : (partsOf.get(shared) ?? []);
  const parts = [...first, ...own];
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Labels: { unique: randomBytes(8).toString("hex") } },
      rootfs: { type: "layers", diff_ids: parts.map(({ diffId }) => diffId) },
    }),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: digestOf(config),
        size: config.length,
      },
      layers: parts.map(({ digest, size }) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest,
        size,
      })),
    }),
  );
  const image: LayeredImage = {
    manifest: { bytes: manifest, mediaType },
    blobs: [...parts, { digest: digestOf(config), bytes: config }],
    layers: parts.map(({ digest, size }) => ({ digest, size })),
  };
  partsOf.set(image, parts);
  return image;
}

interface Part {
  readonly diffId: string;
  readonly digest: string;
  readonly bytes: Buffer;
  readonly size: number;
}

/** What an image was made of, for those that share its layers. */
const partsOf = new WeakMap<LayeredImage, readonly Part[]>();

const chunkBytes = 64 * 1024;

/** Sends each blob of an image at this rate, until the client leaves. */
export function throttled({ blobs }: PushableImage, bytesPerSecond: number): RegistryFault {
  return ({ kind, method, reference }, response) => {
    const bytes = blobs.find(({ digest }) => digest === reference)?.bytes;
    if (kind !== "blob" || method !== "GET" || bytes === undefined) return false;
    response.writeHead(200, { "content-length": bytes.length });
    void (async () => {
      for (let at = 0; at < bytes.length && !response.destroyed; at += chunkBytes) {
        response.write(bytes.subarray(at, at + chunkBytes));
        await sleep((chunkBytes * 1000) / bytesPerSecond);
      }
      response.end();
    })();
    return true;
  };
}
