/** Files of the gateway's own: its documents, its pages and what they load. */
import type { FastifyInstance } from "fastify";
import { noneMatch, weakEtag } from "./etag.ts";

export interface OwnFile {
  readonly path: string;
  /** As `Content-Type` has it. */
  readonly type: string;
  readonly headers: { readonly [name: string]: string };
  /** Called at the first request or `load`, and again after a failure. */
  readonly read: () => Promise<Uint8Array>;
}

/** Reads a file into memory, if it is not there yet. */
export type Load = () => Promise<unknown>;

/** Answers GET and HEAD with the file, which is kept in memory once it was read. */
export function registerFile(app: FastifyInstance, { path, type, headers, read }: OwnFile): Load {
  let file: Promise<{ readonly bytes: Uint8Array; readonly etag: string }> | undefined;
  const load = () => {
    file ??= read()
      .then((bytes) => ({ bytes, etag: weakEtag(bytes) }))
      .catch((error: unknown) => {
        // What cannot be read now may be later.
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
