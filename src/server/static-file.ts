/** Serves the gateway's own files: documents, pages and their assets. */
import type { FastifyInstance } from "fastify";
import { noneMatch, weakEtag } from "./etag.ts";

export interface OwnFile {
  readonly path: string;
  /** The value of `Content-Type`. */
  readonly type: string;
  readonly headers: { readonly [name: string]: string };
  /** Called on the first request or `load`, and again after a failure. */
  readonly read: () => Promise<Uint8Array>;
}

/** Loads the file into memory, if it is not there yet. Rejects when the file cannot be read. */
export type Load = () => Promise<unknown>;

/** Serves the file for GET and HEAD. Keeps it in memory once it has been read. */
export function registerFile(app: FastifyInstance, { path, type, headers, read }: OwnFile): Load {
  let file: Promise<{ readonly bytes: Uint8Array; readonly etag: string }> | undefined;
  const load = () => {
    file ??= read()
      .then((bytes) => ({ bytes, etag: weakEtag(bytes) }))
      .catch((error: unknown) => {
        // A later attempt may succeed.
        file = undefined;
        throw error;
      });
    return file;
  };
  app.get(path, async (request, reply) => {
    const { bytes, etag } = await load();
    reply.headers({ ...headers, etag });
    if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type(type).send(bytes);
  });
  return load;
}
