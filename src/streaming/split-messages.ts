/**
 * Large WebSocket messages, taken piece by piece.
 *
 * `ws` gives out a message when it has come whole, so the largest message that it may take is memory that each client
 * can claim. Where a message is a part of a stream (a command's input, a connection's bytes), it may as well be
 * several: this rewrites the frames (RFC 6455, 5.2) of a large or fragmented message as small messages of their own,
 * before `ws` sees them. They have no mask any more (a key of zeros), which `ws` would take off byte by byte: that took
 * more time than all else that is done to a session's input. From Node 26.12 on `ws` has a fast way of its own.
 */
import type { Socket as Connection } from "node:net";
import { interceptData } from "../server/node/data-listener.ts";
import type { Socket } from "./socket.ts";
import { unmask } from "./unmask.ts";

export interface SplitOptions {
  /** Bytes at the beginning of a message that each of its pieces must have too: the channel. */
  readonly prefixBytes: 0 | 1;
  /** A piece has a multiple of so many bytes behind the prefix: 4 for base64, which is not split in fragments. */
  readonly alignBytes: 1 | 4;
  /** Called when a message is longer than `maxMessageBytes`; it is passed over. */
  readonly tooLarge: () => void;
}

/** A message may be as long as this, in all its fragments. */
export const maxMessageBytes = 16 * 1024 * 1024;
/** Messages up to this length stay as they are. A multiple of every alignment. */
const pieceBytes = 256 * 1024;

const opcode = { continuation: 0, firstControl: 8 } as const;
const maxHeaderBytes = 14;
const keyBytes = 4;

/** A frame of a client. */
interface Frame {
  readonly isFinal: boolean;
  readonly code: number;
  readonly length: number;
  readonly key: Buffer;
  /** With a key of zeros. */
  readonly header: Buffer;
}

/** The frame whose header is at the beginning; undefined while it has not come whole. */
function readFrame(bytes: Buffer): Frame | "invalid" | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  // Not masked, or with an extension that nobody has agreed on: `ws` knows how to refuse that.
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

/** The header of a whole message of `length` bytes, with a key of zeros. */
function writeHeader(code: number, length: number): Buffer {
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + size + keyBytes);
  header[0] = 0x80 | code;
  header[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) header.writeUInt16BE(length, 2);
  if (size === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

/** Returns what turns the bytes that came from a client, which it changes, into what to hand to `ws`. */
export function createSplitter({
  prefixBytes,
  alignBytes,
  tooLarge,
}: SplitOptions): (chunk: Buffer) => Buffer[] {
  let pending: Buffer = Buffer.alloc(0);
  let isBroken = false;
  /** What is left of the frame under way, and what is done with it. */
  let left = 0;
  let mode: "pass" | "skip" | "split" = "pass";
  let frame: Frame | undefined;
  /** The message under way, where it is split. */
  let message:
    | { readonly code: number; prefix: number | undefined; bytes: number; isOver: boolean }
    | undefined;
  /** Whether a message that stays as it is has more fragments to come. */
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
    // A fragment that fits nowhere, or of a message that is passed on: `ws` decides.
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

  /** Passes on a part of the payload of a frame that is split. */
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

/** Puts a splitter between a connection and its WebSocket. Call it before the connection's next data event. */
export function splitMessages(connection: Connection, socket: Socket, options: SplitOptions): void {
  const split = createSplitter(options);
  let isBroken = false;
  // `ws` stops listening to a connection whose client breaks the protocol.
  socket.on("error", () => {
    isBroken = true;
  });
  interceptData(connection, (chunk, receive) => {
    for (const part of split(chunk)) if (!isBroken) receive(part);
  });
}
