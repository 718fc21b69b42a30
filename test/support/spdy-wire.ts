/**
 * SPDY/3.1 frames as a server writes and reads them, implemented separately from the product, so that a
 * misunderstanding in one does not repeat in the other.
 */
import { constants, deflateRawSync, deflateSync, inflateSync } from "node:zlib";
import { spdyDictionary } from "./spdy-dictionary.ts";

export const frameTypes = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;

export interface ControlFrame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

export interface DataFrame {
  readonly streamId: number;
  readonly flags: number;
  readonly payload: Buffer;
}

export type Frame = ControlFrame | DataFrame;

export function controlBytes(type: number, payload: Buffer, flags = 0): Buffer {
  return Buffer.concat([Buffer.from([0x80, 3, 0, type]), flagsAndLength(flags, payload.length), payload]);
}

export function dataBytes(streamId: number, payload: Buffer, flags = 0): Buffer {
  return Buffer.concat([uint32(streamId), flagsAndLength(flags, payload.length), payload]);
}

/** The header of a data frame that announces more or fewer bytes than follow. */
export function dataHeader(streamId: number, length: number, flags = 0): Buffer {
  return Buffer.concat([uint32(streamId), flagsAndLength(flags, length)]);
}

function flagsAndLength(flags: number, length: number): Buffer {
  return Buffer.from([flags, length >> 16, (length >> 8) & 255, length & 255]);
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

/** Assembles chunks into whole frames. */
export function createFrameReader(frame: (frame: Frame) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 8) {
      const length = rest.readUIntBE(5, 3);
      if (rest.length < 8 + length) return;
      const payload = rest.subarray(8, 8 + length);
      const flags = rest.readUInt8(4);
      const first = rest.readUInt32BE(0);
      rest = rest.subarray(8 + length);
      if (first < 0x80000000) {
        frame({ streamId: first, flags, payload });
        continue;
      }
      if (first >>> 16 !== 0x8003)
        throw new Error(`Cannot read a frame of version ${(first >>> 16) & 0x7fff}`);
      frame({ type: first & 0xffff, flags, payload });
    }
  };
}

export type Headers = { readonly [name: string]: string };

/** Reads the header blocks of one connection. Each time it inflates the whole zlib stream so far. */
export function createHeaderReader(): (block: Buffer) => Headers {
  let compressed: Buffer = Buffer.alloc(0);
  let seen = 0;
  return (block) => {
    compressed = Buffer.concat([compressed, block]);
    const all = inflateSync(compressed, {
      dictionary: spdyDictionary,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const fresh = all.subarray(seen);
    seen = all.length;
    return parseHeaders(fresh);
  };
}

function parseHeaders(block: Buffer): Headers {
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    if (at > block.length) throw new Error("Cannot read the header block: it ends in a name or value");
    return block.toString("utf8", at - length, at);
  };
  // Use entries, because a name may be any text, including `__proto__`.
  const headers: [name: string, value: string][] = [];
  for (let left = block.readUInt32BE(0); left > 0; left--) {
    const name = text();
    headers.push([name, text()]);
  }
  if (at !== block.length)
    throw new Error(`Cannot read the header block: ${block.length - at} bytes too many`);
  return Object.fromEntries(headers);
}

/** Writes the header blocks of one connection, compressed, as servers do. */
export function createHeaderBlocks(): (headers: Headers) => Buffer {
  let begun = false;
  return (headers) => {
    const entries = Object.entries(headers);
    const block = Buffer.concat([
      uint32(entries.length),
      ...entries.flat().flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]),
    ]);
    const finishFlush = constants.Z_SYNC_FLUSH;
    const bytes = begun
      ? deflateRawSync(block, { finishFlush })
      : deflateSync(block, { finishFlush, dictionary: spdyDictionary });
    begun = true;
    return bytes;
  };
}
