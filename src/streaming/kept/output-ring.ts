/**
 * The latest output of a session, by position: how many bytes of stdout and stderr together came before it.
 *
 * Invariant: the order in which stdout and stderr arrived is kept, and each piece stays a copy of its own, so that a
 * few bytes never keep a larger buffer of the network alive.
 */

/** A piece of output on one channel. */
export interface Piece {
  readonly channel: number;
  readonly bytes: Buffer;
}

interface Segment {
  readonly channel: number;
  /** Position after its last byte. */
  end: number;
}

/** What a change of the channel takes besides the bytes, so that many short pieces count as well. */
const segmentBytes = 32;
const firstBytes = 4096;
/** How many dropped segments may wait at the start of the list before it is moved. */
const maxDropped = 256;

export class OutputRing {
  /** Position after the last byte. */
  end = 0;
  #maxBytes: number;
  #start = 0;
  #data = Buffer.alloc(0);
  #segments: Segment[] = [];
  #first = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What it may take. Only what `push` must not drop exceeds it. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Position of the first byte that is still here. */
  get start(): number {
    return this.#start;
  }

  /** Memory that it takes. */
  get heldBytes(): number {
    return this.#data.length + (this.#segments.length - this.#first) * segmentBytes;
  }

  /** What the output from `position` on takes of `maxBytes`. */
  sizeFrom(position: number): number {
    const count = this.#segments.length - this.#segmentAt(position);
    return this.end - Math.max(position, this.#start) + count * segmentBytes;
  }

  /** Adds output. Drops older output to make room for it, but none from `keepFrom` on. Default: all may go. */
  push(channel: number, bytes: Buffer, keepFrom = Number.POSITIVE_INFINITY): void {
    if (bytes.length === 0) return;
    const end = this.end + bytes.length;
    const last = this.#segments.at(-1);
    const isSame = this.#segments.length > this.#first && last?.channel === channel;
    this.#makeRoom(bytes.length + (isSame ? 0 : segmentBytes), Math.min(keepFrom, this.end));
    // More than all the room there is: only its end is kept.
    if (keepFrom > this.end)
      this.#start = Math.max(this.#start, end - Math.max(1, this.#maxBytes - segmentBytes));
    const from = Math.max(this.#start, this.end);
    this.#reserve(end - this.#start);
    this.#write(bytes.subarray(from - this.end), from);
    this.end = end;
    if (isSame && last !== undefined && this.#segments.length > this.#first) last.end = end;
    else this.#segments.push({ channel, end });
  }

  /** Reduces what it may take, as far as the output before `keepFrom` allows. */
  shrink(maxBytes: number, keepFrom: number): void {
    this.#maxBytes = maxBytes;
    this.#makeRoom(0, Math.min(keepFrom, this.end));
    const kept = this.#read(this.#start, this.end);
    if (Math.max(kept.length, maxBytes) >= this.#data.length) return;
    this.#data = Buffer.alloc(Math.max(kept.length, maxBytes));
    this.#write(kept, this.#start);
  }

  /** The output from `position` on, as copies. */
  from(position: number): readonly Piece[] {
    let at = Math.max(position, this.#start);
    return this.#segments.slice(this.#segmentAt(at)).map(({ channel, end }) => {
      const bytes = this.#read(at, end);
      at = end;
      return { channel, bytes };
    });
  }

  /** Index of the segment that holds `position`; the number of segments if it is the end. */
  #segmentAt(position: number): number {
    let low = this.#first;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle]?.end ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops the oldest output before `keepFrom` until `bytes` more fit. */
  #makeRoom(bytes: number, keepFrom: number): void {
    for (;;) {
      const over = this.sizeFrom(this.#start) + bytes - this.#maxBytes;
      const segment = this.#segments[this.#first];
      if (over <= 0 || this.#start >= keepFrom || segment === undefined) break;
      const next = Math.min(segment.end, this.#start + over, keepFrom);
      this.#start = next;
      if (next === segment.end) this.#first++;
    }
    if (this.#first < maxDropped) return;
    this.#segments = this.#segments.slice(this.#first);
    this.#first = 0;
  }

  /** Makes the buffer large enough for `bytes`. */
  #reserve(bytes: number): void {
    if (bytes <= this.#data.length) return;
    let capacity = Math.max(firstBytes, this.#data.length);
    while (capacity < bytes) capacity *= 2;
    const kept = this.#read(this.#start, this.end);
    this.#data = Buffer.alloc(bytes <= this.#maxBytes ? Math.min(capacity, this.#maxBytes) : capacity);
    this.#write(kept, this.#start);
  }

  #write(bytes: Buffer, position: number): void {
    const size = this.#data.length;
    const at = position % size;
    const first = bytes.subarray(0, size - at);
    this.#data.set(first, at);
    this.#data.set(bytes.subarray(first.length), 0);
  }

  #read(start: number, end: number): Buffer {
    if (end <= start) return Buffer.alloc(0);
    const size = this.#data.length;
    const at = start % size;
    const first = this.#data.subarray(at, Math.min(size, at + end - start));
    return Buffer.concat([first, this.#data.subarray(0, end - start - first.length)]);
  }
}
