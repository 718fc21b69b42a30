/** Bytes that have arrived and wait for their reader. */

/** What a chunk takes besides its bytes, so that many small ones count as well. */
const chunkOverheadBytes = 256;

export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #changed: () => void;
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #end: { readonly error?: unknown } | undefined;
  #hasLeft = false;
  /** Those who wait for a chunk. */
  #waiting: (() => void)[] = [];

  /** `changed` is called when the reader has taken something. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Memory that the waiting chunks take, in bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Adds a chunk. Drops it if its reader has left. */
  push(chunk: Uint8Array): void {
    if (this.#hasLeft || this.#end !== undefined || chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#sizeBytes += chunk.length + chunkOverheadBytes;
    this.#wake();
  }

  /** The reader ends after what waits for it. */
  end(): void {
    this.#finish({});
  }

  /** The reader fails after what waits for it. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** For one reader at a time: a second one takes chunks from the first. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: async () => {
        for (;;) {
          const chunks = this.#chunks;
          if (this.#hasLeft) return { done: true, value: undefined };
          if (chunks.length > 0) return { done: false, value: this.#takeAll(chunks) };
          if (this.#end !== undefined) {
            if ("error" in this.#end) throw this.#end.error;
            return { done: true, value: undefined };
          }
          await new Promise<void>((resolve) => {
            this.#waiting.push(resolve);
          });
        }
      },
      return: async () => {
        this.#hasLeft = true;
        this.#takeAll([]);
        this.#wake();
        return { done: true, value: undefined };
      },
    };
  }

  /** All that waits, as one chunk: many small ones would take a turn each. */
  #takeAll(chunks: readonly Uint8Array[]): Uint8Array {
    this.#chunks = [];
    this.#sizeBytes = 0;
    this.#changed();
    const [first] = chunks;
    if (first !== undefined && chunks.length === 1) return first;
    const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}
