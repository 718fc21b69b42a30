/** Files of the gateway's own: its documents, its pages and what they load. */
import type { FastifyInstance } from "fastify";
import { noneMatch, weakEtag } from "./etag.ts";

export interface OwnFile {
  readonly path: string;
  /** As `Content-Type` has it. */
  readonly type: string;
  readonly headers: { readonly [name: string]: string };
  /** Called when someone asks for the first time, and again after it has failed. */
  readonly read: () => Promise<Uint8Array>;
}

/** Answers GET and HEAD with the file, which is kept in memory once it was read. */
export function registerFile(app: FastifyInstance, { path, type, headers, read }: OwnFile): void {
  let file: Promise<{ readonly bytes: Uint8Array; readonly etag: string }> | undefined;
  app.get(path, async (request, reply) => {
    file ??= read().then((bytes) => ({ bytes, etag: weakEtag(bytes) }));
    const { bytes, etag } = await file.catch((error: unknown) => {
      // What cannot be read now may be later.
      file = undefined;
      throw error;
    });
    reply.headers({ ...headers, etag });
    if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type(type).send(bytes);
  });
}
