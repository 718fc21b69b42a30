/**
 * Splits large WebSocket messages into small ones.
 *
 * `ws` emits a message only when it is complete, so each client can claim as much memory as the largest message
 * allowed. Where messages only carry a stream (a command's stdin, the bytes of a connection), their boundaries do not
 * matter. This module rewrites the frames (RFC 6455, 5.2) of a large or fragmented message as separate small messages
 * before `ws` sees them. It also unmasks them (the new key is zero), because `ws` unmasks byte by byte, which took more
 * time than everything else done with a session's input. From Node 26.12 on, `ws` has a fast path of its own.
 */
import type { Socket as Connection } from "node:net";
import { interceptData } from "../server/node/data-listener.ts";
import type { Socket } from "./socket.ts";
import { unmask } from "./unmask.ts";

export interface SplitOptions {
  /** Number of bytes at the start of a message that every piece must repeat: the channel. */
  readonly prefixBytes: 0 | 1;
  /**
   * The payload of a piece, after the prefix, is a multiple of this length. 4 for base64, whose fragmented messages are
   * not split.
   */
  readonly alignBytes: 1 | 4;
  /** Called when a message is longer than `maxMessageBytes`. The rest of the message is skipped. */
  readonly tooLarge: () => void;
}

/** Maximum length of a message, including all its fragments. */
export const maxMessageBytes = 16 * 1024 * 1024;
/** Messages up to this length are not split. Must be a multiple of every alignment. */
const pieceBytes = 256 * 1024;

const opcode = { continuation: 0, firstControl: 8 } as const;
const maxHeaderBytes = 14;
const keyBytes = 4;

/** A client frame. */
interface Frame {
  readonly isFinal: boolean;
  readonly code: number;
  readonly length: number;
  readonly key: Buffer;
  /** With the masking key set to zero. */
  readonly header: Buffer;
}

/** Reads the frame header at the start of `bytes`; undefined if it is incomplete. */
function readFrame(bytes: Buffer): Frame | "invalid" | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  // Unmasked, or uses an extension that was not negotiated: `ws` rejects both properly.
  if ((second & 0x80) === 0 || (first & 0x70) !== 0) return "invalid";
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const end = 2 + lengthBytes + keyBytes;
  if (bytes.length < end) return undefined;
  const length =
    lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
  return {
    isFinal: (first & 0x80) !== 0,
    code: first & 0x0f,
    length,
    key: Buffer.from(bytes.subarray(end - keyBytes, end)),
    header: Buffer.from(bytes.subarray(0, end)).fill(0, end - keyBytes),
  };
}

/** The header of an unfragmented message of `length` bytes, with a masking key of zero. */
function writeHeader(code: number, length: number): Buffer {
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + size + keyBytes);
  header[0] = 0x80 | code;
  header[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) header.writeUInt16BE(length, 2);
  if (size === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** Returns a function that turns client bytes into the bytes to pass to `ws`. It modifies its input. */
export function createSplitter({
  prefixBytes,
  alignBytes,
  tooLarge,
}: SplitOptions): (chunk: Buffer) => Buffer[] {
  let pending: Buffer = Buffer.alloc(0);
  let isBroken = false;
  /** Bytes left of the current frame, and what to do with them. */
  let left = 0;
  let mode: "pass" | "skip" | "split" = "pass";
  let frame: Frame | undefined;
  /** The current message, if it is being split. */
  let message:
    | { readonly code: number; prefix: number | undefined; bytes: number; isOver: boolean }
    | undefined;
  /** Whether a message that is not split has more fragments to come. */
  let isFragmented = false;
  let pieceLeft = 0;

  function begin(next: Frame, out: Buffer[]): void {
    frame = next;
    left = next.length;
    if (next.code >= opcode.firstControl) {
      mode = "pass";
      out.push(next.header);
      return;
    }
    const isFirst = next.code !== opcode.continuation;
    const staysWhole = next.isFinal ? next.length <= pieceBytes : alignBytes > 1;
    // A stray fragment, or a fragment of a message that is not split: leave it to `ws`.
    if (isFragmented || isFirst === (message !== undefined) || (isFirst && staysWhole)) {
      mode = "pass";
      isFragmented = !next.isFinal;
      out.push(next.header);
      return;
    }
    message ??= { code: next.code, prefix: undefined, bytes: 0, isOver: false };
    message.bytes += next.length;
    if (message.bytes > maxMessageBytes && !message.isOver) {
      message.isOver = true;
      tooLarge();
    }
    mode = message.isOver ? "skip" : "split";
    pieceLeft = 0;
  }

  /** Passes on part of the payload of a frame that is being split. */
  function split(bytes: Buffer, out: Buffer[]): void {
    if (message === undefined) return;
    let rest = bytes;
    while (rest.length > 0) {
      if (pieceLeft === 0) {
        const isFirstPiece = message.prefix === undefined;
        if (isFirstPiece) message.prefix = prefixBytes === 0 ? 0 : (rest[0] ?? 0);
        const own = isFirstPiece ? prefixBytes : 0;
        pieceLeft = Math.min(left, pieceBytes + own);
        const added = isFirstPiece ? 0 : prefixBytes;
        out.push(writeHeader(message.code, pieceLeft + added));
        if (added > 0) out.push(Buffer.from([message.prefix ?? 0]));
      }
      const part = rest.subarray(0, pieceLeft);
      out.push(part);
      pieceLeft -= part.length;
      left -= part.length;
      rest = rest.subarray(part.length);
    }
  }

  return (chunk) => {
    const out: Buffer[] = [];
    let rest = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    pending = Buffer.alloc(0);
    while (rest.length > 0 && !isBroken) {
      if (left === 0) {
        const next = readFrame(rest.subarray(0, maxHeaderBytes));
        if (next === undefined) {
          pending = Buffer.from(rest);
          return out;
        }
        if (next === "invalid") {
          isBroken = true;
          break;
        }
        rest = rest.subarray(next.header.length);
        begin(next, out);
      }
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      if (mode !== "skip" && frame) unmask(part, frame.key, frame.length - left);
      if (mode === "split") {
        split(part, out);
      } else {
        if (mode === "pass" && part.length > 0) out.push(part);
        left -= part.length;
      }
      if (left === 0 && mode !== "pass" && frame?.isFinal) message = undefined;
    }
    if (rest.length > 0) out.push(rest);
    return out;
  };
}

/** Inserts a splitter between a connection and its WebSocket. Call it before the connection's next `data` event. */
export function splitMessages(connection: Connection, socket: Socket, options: SplitOptions): void {
  const split = createSplitter(options);
  let isBroken = false;
  // `ws` stops listening to a connection whose client violates the protocol.
  socket.on("error", () => {
    isBroken = true;
  });
  interceptData(connection, (chunk, receive) => {
    for (const part of split(chunk)) if (!isBroken) receive(part);
  });
}
