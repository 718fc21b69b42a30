/**
 * Writes wire as JSON text, with a generated writer and a pooled buffer.
 *
 * The length of the text is not known in advance. A writer writes until the buffer is full (RangeError), then starts
 * again with one of twice the size. All runs together cost at most twice as much as the last one, and the pool's
 * `maxBufferBytes` limits the size. Truncated text is never returned.
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
  /** Memory in use until {@link release}: the size of the buffer that holds the text. */
  readonly heldBytes: number;
  /** Returns the memory to the pool. Call it once, after the bytes have left the process. */
  release(): void;
}

/** Bytes of JSON per byte of wire, as of the last large message. */
const expansions = new WeakMap<Writer, number>();
/** One unusual reply must not make the next ones allocate a hundred times what they need. */
const LARGEST_GUESS = 8;
export const FIRST_GUESS = 2;
/** Extra room: a few bytes of wire may expand to a page of defaults. Smaller messages don't predict larger ones. */
export const SMALL = 2048;

/**
 * Writes a message from the wire as JSON.
 *
 * The output is canonical proto3 JSON with defaults: fields ordered by number, 64-bit integers as strings, enums by
 * name, bytes in base64, maps ordered by key. Invalid UTF-8 becomes U+FFFD; unknown fields are omitted.
 *
 * @throws {Malformed} When the wire is not protobuf.
 * @throws {OutputTooLarge} When the text would exceed the pool's `maxBufferBytes`.
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

/** Returns a writer of the same text with a newline at the end, for terminals. */
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

/** Runs `write` on increasingly large buffers until its output fits. */
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

/** Writes a message as a JSON string, for internal use. Throws like {@link writeJson}. */
export function toJsonText(writer: Writer, wire: Uint8Array): string {
  const { bytes, release } = writeJson(writer, wire, texts);
  try {
    return bytes.toString("utf8");
  } finally {
    release();
  }
}
