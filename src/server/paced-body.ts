/**
 * Hands large bodies to TLS piece by piece, as fast as the client reads.
 *
 * OpenSSL encrypts at once whatever it is given. A body given whole would be in memory once more for each client
 * that reads slowly, even where all of them read the same answer. Without TLS the kernel takes what it has room
 * for, and the rest stays where it is.
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
