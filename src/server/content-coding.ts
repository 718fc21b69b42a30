/** Compressed answers: which coding a client takes (RFC 9110, 12.5.3), and bytes in it. */
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyReply } from "fastify";

/** Content codings that the gateway makes, the smallest first. */
const codings = ["br", "gzip"] as const;
export type Coding = (typeof codings)[number];

/** Nobody writes so much; anyone may send it. */
const maxHeaderLength = 1024;

/**
 * The first of `offered` that `Accept-Encoding` names with a quality above 0, by name or as `*`; undefined for none. An
 * answer that is not coded is always right.
 */
export function acceptedCoding(
  acceptEncoding: string | string[] | undefined,
  offered: readonly Coding[] = codings,
): Coding | undefined {
  const header = [acceptEncoding ?? []].flat().join(",");
  if (header.length > maxHeaderLength) return undefined;
  const qualities = new Map(
    header.split(",").map((coding) => {
      const [name = "", ...parameters] = coding.split(";").map((part) => part.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
      return [name, Number(quality ?? 1)];
    }),
  );
  return offered.find((coding) => (qualities.get(coding) ?? qualities.get("*") ?? 0) > 0);
}

/** Tells caches that the answer depends on a header of the request, besides those that were added before. */
export function addVary(reply: FastifyReply, name: string): void {
  reply.header("vary", [reply.getHeader("vary") ?? [], name].flat().join(", "));
}

/** Of brotli's eleven: the next better one takes ten times as long, for a tenth. */
const brotliQuality = 9;

const compress: { readonly [C in Coding]: (bytes: Uint8Array) => Promise<Uint8Array> } = {
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
};

/** Compresses bytes that never change, in each coding once, when it is first asked for. Not on the event loop. */
export function compressOnce(bytes: Uint8Array): (coding: Coding) => Promise<Uint8Array> {
  const made = new Map<Coding, Promise<Uint8Array>>();
  return (coding) => {
    const compressed = made.get(coding) ?? compress[coding](bytes);
    made.set(coding, compressed);
    return compressed;
  };
}
