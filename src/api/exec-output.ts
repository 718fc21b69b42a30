/**
 * Writes the answer of ExecSync as JSON text, in pieces.
 *
 * A reply can be 16 MiB and its text six times as long. A single string would be in memory several times.
 */
import { isUtf8 } from "node:buffer";
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { replyBytes, replyInteger } from "../cri/codec.ts";
import { writeText } from "../wire/json-text.ts";

const rpc = "RuntimeService/ExecSync";
/** Output bytes per piece. Divisible by 3, so that each piece is whole base64 groups. */
const pieceBytes = 48 * 1024;
/** A control character takes six: `\u0000`. */
const longestEscape = 6;
/** Replies up to this length are sent in one piece, with a Content-Length. */
const smallReplyBytes = 64 * 1024;

/** Sends a reply of ExecSync as JSON. @throws {Malformed} if it is not protobuf. */
export function sendExecOutput(reply: FastifyReply, wire: Buffer, encoding: "utf8" | "base64"): FastifyReply {
  if (reply.raw.destroyed) return reply.hijack();
  const pieces = execPieces(wire, encoding);
  return reply
    .type("application/json")
    .send(wire.length > smallReplyBytes ? Readable.from(pieces) : Buffer.concat([...pieces]));
}

/**
 * The JSON of {@link ExecAnswer} for a reply, ending with a newline.
 *
 * @throws {Malformed} before the first piece, if the reply is not protobuf.
 */
export function execPieces(reply: Buffer, encoding: "utf8" | "base64"): Iterable<Buffer> {
  const exitCode = BigInt.asIntN(32, replyInteger(rpc, reply, "exitCode"));
  const stdout = replyBytes(rpc, reply, "stdout");
  const stderr = replyBytes(rpc, reply, "stderr");
  const lossy = encoding === "utf8" && !(isUtf8(stdout) && isUtf8(stderr));
  const pieces = encoding === "utf8" ? utf8Pieces : base64Pieces;
  return (function* () {
    yield Buffer.from(`{"exitCode":${exitCode},"stdout":"`);
    yield* pieces(stdout);
    yield Buffer.from('","stderr":"');
    yield* pieces(stderr);
    yield Buffer.from(`","encoding":"${encoding}","lossy":${lossy}}\n`);
  })();
}

function* base64Pieces(output: Buffer): Generator<Buffer> {
  for (let at = 0; at < output.length; at += pieceBytes) {
    yield Buffer.from(output.toString("base64", at, Math.min(at + pieceBytes, output.length)), "latin1");
  }
}

/** Holds the text of one piece. Shared safely: writing and copying run synchronously. */
const scratch = new DataView(new ArrayBuffer(pieceBytes * longestEscape));

function* utf8Pieces(output: Buffer): Generator<Buffer> {
  const source = new DataView(output.buffer, output.byteOffset, output.length);
  for (let at = 0; at < output.length; ) {
    const end = characterEnd(output, Math.min(at + pieceBytes, output.length));
    const length = writeText(output, source, at, end, scratch, 0);
    at = end;
    yield Buffer.from(new Uint8Array(scratch.buffer, 0, length));
  }
}

/** The last position at or before `end` that is not inside a character. */
function characterEnd(output: Buffer, end: number): number {
  const isContinuation = (at: number): boolean => at < output.length && ((output[at] ?? 0) & 0xc0) === 0x80;
  let at = end;
  while (at > end - 3 && isContinuation(at)) at--;
  // Four continuation bytes in a row are not part of any character.
  return isContinuation(at) ? end : at;
}
