/** Reads small blobs of containerd's content store, such as manifests. */
import type { ContainerdClient } from "./client.ts";

/** The label by which a manifest refers to its configuration, whose digest is the image's id. */
export const configLabel = "containerd.io/gc.ref.content.config";

/** Larger manifests and configurations are not read. */
const maxBytes = 4 * 1024 * 1024;

export interface ReadOptions {
  readonly deadlineMs: number;
}

/** Undefined if it is too large. @throws {GatewayError} `not_found` if it is not there. */
export async function readBlob(
  client: ContainerdClient,
  digest: string,
  options: ReadOptions,
): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const request = { digest, size: String(maxBytes + 1) };
  for await (const { data } of client.stream("Content/Read", request, options)) {
    const part = Buffer.from(data, "base64");
    bytes += part.length;
    if (bytes > maxBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
