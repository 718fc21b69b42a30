/** A growing buffer for protobuf output. */

/** Thrown when the output exceeds the limit. */
export class SinkFull extends Error {
  override readonly name = "SinkFull";
}

export class Sink {
  #bytes: Buffer;
  #length = 0;
  readonly #limit: number;

  /** @param limit Most bytes that it accepts; beyond that it throws {@link SinkFull}. */
  constructor(limit: number, capacity = 1024) {
    this.#limit = limit;
    this.#bytes = Buffer.allocUnsafe(Math.min(limit, capacity));
  }

  get length(): number {
    return this.#length;
  }

  /** Returns a copy of what was written. */
  take(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  byte(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  /** Writes an unsigned 32-bit varint, such as a tag or a length. */
  varint32(value: number): void {
    let rest = value >>> 0;
    const at = this.#reserve(varintLength(rest));
    let i = at;
    for (; rest > 127; rest >>>= 7) this.#bytes[i++] = (rest & 127) | 128;
    this.#bytes[i] = rest;
  }

  /** Writes the lower 64 bits of an integer as a varint. */
  varint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    for (; rest > 127n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    this.byte(Number(rest));
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  /** Writes a length and the bytes. */
  delimited(bytes: Uint8Array): void {
    this.varint32(bytes.length);
    this.raw(bytes);
  }

  /** Writes a length and the text as UTF-8. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint32(length);
    const at = this.#reserve(length);
    this.#bytes.write(value, at, "utf8");
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Starts a part that is preceded by its length. Pass the result to {@link close}. */
  open(): number {
    return this.#reserve(1) + 1;
  }

  /** Ends a part that {@link open} started. */
  close(start: number): void {
    const length = this.#length - start;
    const extra = varintLength(length) - 1;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(start + extra, start, start + length);
    }
    const end = this.#length;
    this.#length = start - 1;
    this.varint32(length);
    this.#length = end;
  }

  /** Reserves `count` more bytes and returns their position. */
  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      if (needed > this.#limit) throw new SinkFull(`more than ${this.#limit} bytes`);
      const larger = Buffer.allocUnsafe(Math.min(this.#limit, Math.max(needed, this.#bytes.length * 2)));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#length = needed;
    return at;
  }
}

/** Number of bytes of an unsigned 32-bit varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value >>> 0; rest > 127; rest >>>= 7) length++;
  return length;
}
