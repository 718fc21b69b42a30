/** Serves the gateway's own files: documents, pages and their assets. */
import type { FastifyInstance } from "fastify";
import { noneMatch, weakEtag } from "./etag.ts";

export interface OwnFile {
  readonly path: string;
  /** The value of `Content-Type`. */
  readonly type: string;
  readonly headers: { readonly [name: string]: string };
  /**
   * Called on the first request or `load`, and again after a failure. Returns the bytes, or what makes them from what
   * was read: that is called on the first request, for a file that takes long to make and that few ask for.
   */
  readonly read: () => Promise<Uint8Array | (() => Uint8Array)>;
}

/** Reads the file, if it was not read yet. Rejects when it cannot be read. */
export type Load = () => Promise<unknown>;

/** Serves the file for GET and HEAD. Keeps it in memory once it has been read. */
export function registerFile(app: FastifyInstance, { path, type, headers, read }: OwnFile): Load {
  let source: ReturnType<typeof read> | undefined;
  let file: { readonly bytes: Uint8Array; readonly etag: string } | undefined;
  const load = () => {
    source ??= read().catch((error: unknown) => {
      // A later attempt may succeed.
      source = undefined;
      throw error;
    });
    return source;
  };
  app.get(path, async (request, reply) => {
    const made = await load();
    file ??= withEtag(typeof made === "function" ? made() : made);
    const { bytes, etag } = file;
    reply.headers({ ...headers, etag });
    if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type(type).send(bytes);
  });
  return load;
}

const withEtag = (bytes: Uint8Array) => ({ bytes, etag: weakEtag(bytes) });
