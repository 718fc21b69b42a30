/** A registry on loopback that serves one image under every name, and injects faults through a handler. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { PushableImage } from "./registry.ts";

/** The request: a manifest by tag or digest, or a blob. */
export interface RegistryRequest {
  readonly kind: "manifest" | "blob" | "other";
  readonly method: string;
  /** The repository: `team/app`. */
  readonly name: string;
  readonly reference: string;
  readonly incoming: IncomingMessage;
}

/** Answers a request in place of the registry. @returns Whether it did. */
export type RegistryFault = (request: RegistryRequest, response: ServerResponse) => boolean;

export interface FaultyRegistry {
  /** `127.0.0.1:PORT`, plain HTTP. */
  readonly address: string;
  /** The fault for all requests from now on; none if undefined. */
  fault: RegistryFault | undefined;
  close(): Promise<void>;
}

/** Starts the registry on a free port. */
export async function startFaultyRegistry(image: PushableImage): Promise<FaultyRegistry> {
  const registry: { fault: RegistryFault | undefined } = { fault: undefined };
  const server = createServer((incoming, response) => {
    const [, name = "", kind = "other", reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(incoming.url ?? "") ?? [];
    const request: RegistryRequest = {
      kind: kind === "manifests" ? "manifest" : kind === "blobs" ? "blob" : "other",
      method: incoming.method ?? "",
      name,
      reference,
      incoming,
    };
    if (registry.fault?.(request, response)) return;
    const blob = image.blobs.find(({ digest }) => digest === reference);
    const found =
      request.kind === "manifest"
        ? image.manifest
        : blob && { bytes: blob.bytes, mediaType: "application/octet-stream" };
    if (found === undefined) {
      response.writeHead(request.kind === "other" ? 200 : 404).end();
      return;
    }
    response.writeHead(200, { "content-type": found.mediaType, "content-length": found.bytes.length });
    response.end(request.method === "HEAD" ? undefined : found.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(registry, {
    address: `127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
