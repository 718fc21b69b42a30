/** Serves the gateway's own files: documents, pages and their assets. */
import type { FastifyInstance } from "fastify";
import { acceptedCoding, addVary, type Coding, compressOnce } from "./content-coding.ts";
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

/** What is smaller gains nothing. */
const minCompressedBytes = 1024;

/** Serves the file for GET and HEAD, compressed for who takes that. Keeps it in memory once it has been read. */
export function registerFile(app: FastifyInstance, { path, type, headers, read }: OwnFile): Load {
  let source: ReturnType<typeof read> | undefined;
  let file: KeptFile | undefined;
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
    file ??= keep(typeof made === "function" ? made() : made);
    const { bytes, etag, compressed } = file;
    reply.headers({ ...headers, etag });
    const isCompressible = bytes.length >= minCompressedBytes;
    if (isCompressible) addVary(reply, "Accept-Encoding");
    if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
    reply.type(type);
    const coding = isCompressible ? acceptedCoding(request.headers["accept-encoding"]) : undefined;
    if (coding === undefined) return reply.send(bytes);
    return reply.header("content-encoding", coding).send(await compressed(coding));
  });
  return load;
}

interface KeptFile {
  readonly bytes: Uint8Array;
  /** The same in every coding, as a weak one may be. */
  readonly etag: string;
  readonly compressed: (coding: Coding) => Promise<Uint8Array>;
}

const keep = (bytes: Uint8Array): KeptFile => ({
  bytes,
  etag: weakEtag(bytes),
  compressed: compressOnce(bytes),
});
