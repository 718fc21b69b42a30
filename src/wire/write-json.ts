/**
 * Wire to JSON text, through a generated writer and a pooled buffer.
 *
 * Nobody knows how long the text will be. A writer writes until the buffer refuses (RangeError),
 * then starts again in one of twice the size: its cost is bounded by twice that of the last run,
 * the size by the pool's `maxBufferBytes`. Text that was cut is never answered.
 */
import { type BufferPool, createBufferPool } from "./buffer-pool.ts";
import { canonicalize } from "./canonicalize.ts";
import type { Descriptors } from "./descriptor.ts";
import { notCanonical, readFrom, readNothing, type WriteValue } from "./json-fields.ts";

/** Writes one message as JSON. Generated (`gen/writers.ts`). */
export interface Writer {
  /** The message's name in the descriptor table. */
  readonly message: string;
  readonly descriptors: Descriptors;
  readonly write: WriteValue;
}

/** JSON text in a pooled buffer. */
export interface Written {
  /** The text as UTF-8; valid until {@link release}. */
  readonly bytes: Buffer;
  /** Memory that is in use until {@link release}: the size of the buffer that holds the text. */
  readonly heldBytes: number;
  /** Gives the memory back. Call it once, when the bytes have left the process, not before. */
  release(): void;
}

/** Bytes of JSON per byte of wire, as it was the last time that there was much of it. */
const expansions = new WeakMap<Writer, number>();
/** One odd reply must not make the next ones ask for a hundred times what they need. */
const LARGEST_GUESS = 8;
export const FIRST_GUESS = 2;
/** Room besides: a few bytes of wire may be a page of defaults. Smaller ones say nothing about larger ones. */
export const SMALL = 2048;

/**
 * Writes a message from the wire as JSON.
 *
 * Canonical proto3 JSON with defaults: fields by number, 64-bit integers as strings, enums by name,
 * bytes in base64, maps by key. Text that is not UTF-8 comes out with U+FFFD; unknown fields are
 * left out.
 *
 * @throws {Malformed} when the wire is not protobuf.
 * @throws {OutputTooLarge} when the text would be larger than the pool's `maxBufferBytes`.
 */
export function writeJson(writer: Writer, wire: Uint8Array, pool: BufferPool): Written {
  let input = wire;
  const expansion = expansions.get(writer) ?? FIRST_GUESS;
  const written = writeInto(pool, SMALL + wire.length * expansion, (d) => {
    try {
      readFrom(input);
      return writer.write(input, 0, input.length, d, 0);
    } catch (error) {
      if (error !== notCanonical || input !== wire) throw error;
      input = canonicalize(wire, writer.message, writer.descriptors);
      readFrom(input);
      return writer.write(input, 0, input.length, d, 0);
    } finally {
      readNothing();
    }
  });
  if (wire.length > SMALL) expansions.set(writer, guessAfter(written.bytes.length / wire.length));
  return written;
}

function guessAfter(expansion: number): number {
  return Math.min(Math.max(Math.ceil(expansion), FIRST_GUESS), LARGEST_GUESS);
}

/** A writer of the same text with a newline at the end, as a terminal wants it. */
export function lineWriter(writer: Writer): Writer {
  return {
    ...writer,
    write(b, p, e, d, w) {
      const end = writer.write(b, p, e, d, w);
      d.setUint8(end, 0x0a);
      return end + 1;
    },
  };
}

/** Runs `write` on larger and larger buffers until its output fits. */
export function writeInto(pool: BufferPool, guess: number, write: (d: DataView) => number): Written {
  for (let size = Math.min(guess, pool.maxBufferBytes); ; ) {
    const buffer = pool.take(size);
    try {
      const length = write(new DataView(buffer.buffer, buffer.byteOffset, buffer.length));
      return {
        bytes: buffer.subarray(0, length),
        heldBytes: buffer.length,
        release: () => pool.give(buffer),
      };
    } catch (error) {
      pool.give(buffer);
      if (!(error instanceof RangeError)) throw error;
      size =
        buffer.length < pool.maxBufferBytes ? Math.min(buffer.length * 2, pool.maxBufferBytes) : Infinity;
    }
  }
}

const texts = createBufferPool({ maxBytes: 1024 * 1024 });

/** The JSON text of a message as a string, for use inside; throws like {@link writeJson}. */
export function toJsonText(writer: Writer, wire: Uint8Array): string {
  const { bytes, release } = writeJson(writer, wire, texts);
  try {
    return bytes.toString("utf8");
  } finally {
    release();
  }
}
