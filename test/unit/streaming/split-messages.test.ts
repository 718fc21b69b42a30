/** Large messages in pieces: what a reader of frames gets is what was sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSplitter, maxMessageBytes, type SplitOptions } from "../../../src/streaming/split-messages.ts";
import { randomRuns } from "../../support/random-runs.ts";

interface Sent {
  readonly code: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

/** A client's frame, masked. */
function frame({ code, isFinal, payload }: Sent, key: Buffer): Buffer {
  const size = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = (isFinal ? 0x80 : 0) | code;
  head[1] = 0x80 | (size === 0 ? payload.length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(payload.length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, key, payload.map((byte, index) => byte ^ (key[index % 4] ?? 0))]);
}

/** The frames of a stream of bytes, unmasked; fails when they do not end with the bytes. */
function framesIn(bytes: Buffer): Sent[] {
  const frames: Sent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at);
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const size = short === 126 ? 2 : short === 127 ? 8 : 0;
    const length =
      size === 0 ? short : size === 2 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const start = at + 2 + size + 4;
    const key = bytes.subarray(start - 4, start);
    assert.ok(start + length <= bytes.length, "a frame is cut");
    const payload = bytes.subarray(start, start + length).map((byte, index) => byte ^ (key[index % 4] ?? 0));
    frames.push({ code: first & 15, isFinal: (first & 0x80) !== 0, payload: Buffer.from(payload) });
    at = start + length;
  }
  return frames;
}

const key = Buffer.from([0xa1, 0x02, 0xf3, 0x44]);
const binary = { prefixBytes: 1, alignBytes: 1 } as const;

function run(
  options: Omit<SplitOptions, "tooLarge">,
  chunks: readonly Buffer[],
): { readonly frames: Sent[]; readonly tooLarge: number } {
  let tooLarge = 0;
  const split = createSplitter({ ...options, tooLarge: () => tooLarge++ });
  return { frames: framesIn(Buffer.concat(chunks.flatMap((chunk) => split(chunk)))), tooLarge };
}

/** Bytes in chunks of a size. */
function chunksOf(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

test("small messages and control frames pass one by one, without their mask, byte by byte too", () => {
  const sent = [
    { code: 2, isFinal: true, payload: Buffer.from("\0hello") },
    { code: 9, isFinal: true, payload: Buffer.from("ping") },
    { code: 2, isFinal: true, payload: Buffer.alloc(0) },
    { code: 2, isFinal: true, payload: Buffer.alloc(100_000, "large, but not too large") },
    { code: 8, isFinal: true, payload: Buffer.from([3, 232]) },
  ];
  const wanted = Buffer.concat(sent.map((one) => frame(one, Buffer.alloc(4))));
  for (const size of [1, 3, 7, wanted.length]) {
    const bytes = Buffer.concat(sent.map((one) => frame(one, key)));
    const split = createSplitter({ ...binary, tooLarge: () => assert.fail() });
    const came = Buffer.concat(chunksOf(bytes, size).flatMap((chunk) => split(chunk)));
    assert.ok(came.equals(wanted), `in chunks of ${size}`);
  }
});

test("a message of any fragments becomes whole messages that begin with its channel and add up to it", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 700_000 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 100_000 }),
      fc.constantFrom(0, 1),
      (lengths, size, prefixBytes) => {
        const payload = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0) + 1);
        for (let index = 0; index < payload.length; index++)
          payload[index] = (index * 7 + (index >> 8)) & 255;
        let from = 0;
        const frames = lengths.flatMap((length, index) => {
          const isFinal = index === lengths.length - 1;
          const to = isFinal ? payload.length : from + length;
          const part = payload.subarray(from, to);
          from = to;
          const data = frame(
            { code: index === 0 ? 2 : 0, isFinal, payload: part },
            Buffer.from([index, 9, 200, 31]),
          );
          const ping = frame({ code: 9, isFinal: true, payload: Buffer.from("p") }, key);
          return [data, ping];
        });
        const mode = { prefixBytes: prefixBytes as 0 | 1, alignBytes: 1 } as const;
        // A large message byte by byte would only take long.
        const chunkBytes = Math.max(size, Math.ceil(payload.length / 10_000));
        const { frames: came, tooLarge } = run(mode, chunksOf(Buffer.concat(frames), chunkBytes));
        assert.equal(tooLarge, 0);
        const data = came.filter(({ code }) => code < 8);
        assert.equal(came.length - data.length, lengths.length);
        for (const { isFinal, code, payload: piece } of data) {
          assert.ok(isFinal && code === 2);
          assert.ok(piece.length <= 256 * 1024 + 1);
          if (prefixBytes === 1) assert.equal(piece[0], payload[0]);
        }
        const added = data.map(({ payload: piece }, index) => piece.subarray(index === 0 ? 0 : prefixBytes));
        assert.ok(Buffer.concat(added).equals(payload));
      },
    ),
    { numRuns: randomRuns(60) },
  );
});

test("a large text message in base64 is split where its text can be decoded", () => {
  const input = Buffer.alloc(1_000_000, "abc");
  const sent = frame({ code: 1, isFinal: true, payload: Buffer.from(`0${input.toString("base64")}`) }, key);
  const { frames } = run({ prefixBytes: 1, alignBytes: 4 }, chunksOf(sent, 65_536));
  assert.ok(frames.length > 1);
  const texts = frames.map(({ payload }) => payload.toString("latin1"));
  assert.ok(texts.every((text) => text[0] === "0" && (text.length - 1) % 4 === 0));
  assert.ok(Buffer.concat(texts.map((text) => Buffer.from(text.slice(1), "base64"))).equals(input));
});

test("a message over the limit is reported once and passed over, and the close behind it is heard", () => {
  const large = frame({ code: 2, isFinal: true, payload: Buffer.alloc(maxMessageBytes + 1) }, key);
  const close = frame({ code: 8, isFinal: true, payload: Buffer.from([3, 241]) }, key);
  const { frames, tooLarge } = run(binary, chunksOf(Buffer.concat([large, close]), 1_000_000));
  assert.equal(tooLarge, 1);
  assert.deepEqual(
    frames.map(({ code }) => code),
    [8],
  );
});

test("what no client may send is left to ws as it came", () => {
  const unmasked = Buffer.from([0x82, 0x01, 0x00, 0x82, 0x01, 0x00]);
  const reserved = Buffer.concat([Buffer.from([0xc2, 0x81]), key, Buffer.from([1])]);
  for (const bytes of [unmasked, reserved]) {
    const split = createSplitter({ ...binary, tooLarge: () => assert.fail() });
    assert.deepEqual(Buffer.concat(split(bytes)), bytes);
  }
});
