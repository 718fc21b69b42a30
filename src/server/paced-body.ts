/**
 * Passes large bodies to TLS in pieces, as fast as the client reads.
 *
 * OpenSSL encrypts everything that it is given at once. A body passed as a whole would be copied for every slow client,
 * even if all of them read the same response. Without TLS, the kernel takes only what fits, and the rest is not copied.
 */
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";

const pieceBytes = 64 * 1024;

export function paceBodies(app: FastifyInstance): void {
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (!Buffer.isBuffer(payload) || payload.length <= pieceBytes) {
      done(null, payload);
      return;
    }
    reply.header("content-length", payload.length);
    done(null, piecesOf(payload));
  });
}

function piecesOf(body: Buffer): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: pieceBytes,
    read() {
      this.push(at < body.length ? body.subarray(at, at + pieceBytes) : null);
      at += pieceBytes;
    },
  });
}
