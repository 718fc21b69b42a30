/**
 * SPDY/3.1 frames: writers, and an incremental parser.
 *
 * Source: SPDY Protocol draft 3.1, sections 2.2 and 2.6. Covers only what a client of a CRI streaming server needs: it
 * writes headers uncompressed and does not read them.
 */

/** Control frame types. */
export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** RST_STREAM statuses. */
export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

/** Set on the last frame that a sender sends on a stream. */
export const FIN = 1;

const headerBytes = 8;
const version = 3;
/** The length field has 24 bits. */
export const maxFrameBytes = 0xffffff;
/** Real servers send control frames of a few dozen bytes; a large one is an attack or garbage. */
const maxControlBytes = 64 * 1024;

export function dataFrameHeader(streamId: number, length: number, flags: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(((flags << 24) | length) >>> 0, 4);
  return header;
}

export function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  payload.copy(frame, headerBytes);
  return frame;
}

/** A payload of 32-bit words, as in RST_STREAM, PING and GOAWAY. */
export function words(...values: readonly number[]): Buffer {
  const payload = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) payload.writeUInt32BE(value >>> 0, 4 * index);
  return payload;
}

/** The peer sent something that is not SPDY/3.1. */
export class SpdyProtocolError extends Error {
  override readonly name = "SpdyProtocolError";
}

export interface FrameHandler {
  /** Part of a data frame's payload, as received. `fin` is true with the last part of the sender's half. */
  data(streamId: number, chunk: Buffer, fin: boolean): void;
  control(type: number, flags: number, payload: Buffer): void;
}

export interface FrameParser {
  /** Parses the next bytes. @throws {SpdyProtocolError} once; the connection is unusable afterwards. */
  push(chunk: Buffer): void;
}

/**
 * Parses frames from a byte stream with any chunk boundaries.
 *
 * Data payloads are passed on in parts and never buffered, so a false length costs nothing. Control frames are
 * buffered, up to 64 KiB.
 */
export function createFrameParser(handler: FrameHandler): FrameParser {
  /** Chunks of an incomplete header or control frame. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  /** Number of bytes needed to complete it. */
  let wanted = 0;
  let dataLeft = 0;
  let dataStream = 0;
  let dataFin = false;

  function takeData(chunk: Buffer, at: number): number {
    const length = Math.min(dataLeft, chunk.length - at);
    dataLeft -= length;
    const isLast = dataLeft === 0;
    handler.data(dataStream, chunk.subarray(at, at + length), isLast && dataFin);
    return at + length;
  }

  /** Joins the held bytes and `next`; undefined while there are too few. */
  function withHeld(next: Buffer): Buffer | undefined {
    if (heldBytes === 0) return next;
    held.push(next);
    heldBytes += next.length;
    if (heldBytes < wanted) return undefined;
    const chunk = Buffer.concat(held, heldBytes);
    held = [];
    heldBytes = 0;
    return chunk;
  }

  function hold(rest: Buffer, forBytes: number): void {
    if (rest.length === 0) return;
    // Copy: the chunk may be a slice of a large read buffer, which would be kept alive.
    held = [Buffer.from(rest)];
    heldBytes = rest.length;
    wanted = forBytes;
  }

  return {
    push(next) {
      const chunk = withHeld(next);
      if (chunk === undefined) return;
      let at = 0;
      while (at < chunk.length) {
        if (dataLeft > 0) {
          at = takeData(chunk, at);
          continue;
        }
        if (chunk.length - at < headerBytes) {
          hold(chunk.subarray(at), headerBytes);
          return;
        }
        const first = chunk.readUInt32BE(at);
        const flags = chunk.readUInt8(at + 4);
        const length = chunk.readUInt32BE(at + 4) & maxFrameBytes;
        if (first >>> 31 === 0) {
          at += headerBytes;
          dataStream = first;
          dataFin = (flags & FIN) !== 0;
          dataLeft = length;
          if (length === 0) handler.data(dataStream, chunk.subarray(at, at), dataFin);
          continue;
        }
        if (((first >>> 16) & 0x7fff) !== version) {
          throw new SpdyProtocolError(
            `The peer speaks SPDY version ${(first >>> 16) & 0x7fff}, not ${version}`,
          );
        }
        if (length > maxControlBytes) {
          throw new SpdyProtocolError(
            `The peer sent a control frame of ${length} bytes, over ${maxControlBytes}`,
          );
        }
        if (chunk.length - at < headerBytes + length) {
          hold(chunk.subarray(at), headerBytes + length);
          return;
        }
        handler.control(first & 0xffff, flags, chunk.subarray(at + headerBytes, at + headerBytes + length));
        at += headerBytes + length;
      }
    },
  };
}
