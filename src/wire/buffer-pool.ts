/**
 * Output buffers that are used again.
 *
 * A fresh megabyte per reply lives outside the garbage collector's young heap and forces it to
 * collect everything, several times a second. Invariant: memory serves one reply at a time. Each
 * `take` answers a new view, and only that very view gives the memory back, once: a second `give`
 * would let two callers write into the same reply, and throws.
 */

/** The output would be larger than the pool allows. */
export class OutputTooLarge extends Error {
  override readonly name = "OutputTooLarge";

  constructor(limit: number) {
    super(`Cannot write the answer: it is larger than ${limit} bytes`);
  }
}

export interface BufferPoolOptions {
  /** Most bytes of idle memory that are kept; default 64 MiB. What comes back beyond is let go. */
  readonly maxBytes?: number;
  /** Largest buffer that is handed out; default 256 MiB. It bounds what one output may become. */
  readonly maxBufferBytes?: number;
}

export interface BufferPool {
  /**
   * A buffer of at least `minBytes`, with old bytes in it.
   *
   * @throws {OutputTooLarge} when that is more than `maxBufferBytes`.
   */
  take(minBytes: number): Buffer;
  /**
   * Takes back a buffer that {@link take} answered (itself, not a part of it).
   *
   * @throws {TypeError} for any other, or when it was given back already.
   */
  give(buffer: Buffer): void;
  /** Largest buffer that it hands out. */
  readonly maxBufferBytes: number;
  /** Bytes of idle memory. */
  readonly idleBytes: number;
  /** Buffers that are out. */
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
      if (memory === undefined) throw new TypeError("Cannot give back a buffer: it is not one that is out");
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

/** The exponent of the smallest size that holds so many bytes. */
function classOf(bytes: number): number {
  return Math.max(SMALLEST, 32 - Math.clz32(Math.max(0, bytes - 1)));
}
