/**
 * Reusable output buffers.
 *
 * A fresh megabyte per reply lives outside the garbage collector's young generation and forces full collections several
 * times a second. Invariant: memory serves one reply at a time. Each `take` returns a new view, and only that view can
 * give the memory back, once. A second `give` throws, because it would let two callers write to the same memory.
 */

/** The output would exceed the pool's limit. */
export class OutputTooLarge extends Error {
  override readonly name = "OutputTooLarge";

  constructor(limit: number) {
    super(`Cannot write the answer: it is larger than ${limit} bytes`);
  }
}

export interface BufferPoolOptions {
  /** Most bytes of idle memory to keep; default 64 MiB. Memory returned beyond that is freed. */
  readonly maxBytes?: number;
  /** Largest buffer to hand out, in bytes; default 256 MiB. It limits the size of one output. */
  readonly maxBufferBytes?: number;
}

export interface BufferPool {
  /**
   * Returns a buffer of at least `minBytes`. It contains old bytes.
   *
   * @throws {OutputTooLarge} When that exceeds `maxBufferBytes`.
   */
  take(minBytes: number): Buffer;
  /**
   * Takes back a buffer that {@link take} returned (the buffer itself, not a part of it).
   *
   * @throws {TypeError} For any other buffer, or when it was already given back.
   */
  give(buffer: Buffer): void;
  /** Largest buffer that it hands out, in bytes. */
  readonly maxBufferBytes: number;
  /** Bytes of idle memory. */
  readonly idleBytes: number;
  /** Number of buffers in use. */
  readonly taken: number;
}

/** Sizes are powers of two, from 4 KiB. */
const SMALLEST = 12;

export function createBufferPool(options: BufferPoolOptions = {}): BufferPool {
  const { maxBytes = 64 * 1024 * 1024, maxBufferBytes = 256 * 1024 * 1024 } = options;
  const idle: ArrayBuffer[][] = [];
  const out = new WeakMap<Buffer, ArrayBuffer>();
  let idleBytes = 0;
  let taken = 0;
  return {
    maxBufferBytes,
    take(minBytes) {
      if (minBytes > maxBufferBytes) throw new OutputTooLarge(maxBufferBytes);
      const sizeClass = classOf(minBytes);
      let memory = idle[sizeClass]?.pop();
      if (memory === undefined) memory = new ArrayBuffer(Math.min(2 ** sizeClass, maxBufferBytes));
      else idleBytes -= memory.byteLength;
      const buffer = Buffer.from(memory);
      out.set(buffer, memory);
      taken++;
      return buffer;
    },
    give(buffer) {
      const memory = out.get(buffer);
      if (memory === undefined) throw new TypeError("Cannot release a buffer: it is not in use");
      out.delete(buffer);
      taken--;
      if (idleBytes + memory.byteLength > maxBytes) return;
      idleBytes += memory.byteLength;
      const sizeClass = classOf(memory.byteLength);
      idle[sizeClass] ??= [];
      idle[sizeClass].push(memory);
    },
    get idleBytes() {
      return idleBytes;
    },
    get taken() {
      return taken;
    },
  };
}

/** The exponent of the smallest size that holds this many bytes. */
function classOf(bytes: number): number {
  return Math.max(SMALLEST, 32 - Math.clz32(Math.max(0, bytes - 1)));
}
