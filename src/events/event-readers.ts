/**
 * Distributes events to many readers. Each has its own bounded queue and reads at its own pace. When its queue is full,
 * a reader learns how many events it missed, and its sequence ends. It slows down neither the source nor other readers.
 */
import { CallCancelled } from "../cri/channel.ts";
import { type EventItem, timeOf } from "./node-event.ts";

export interface EventReaders {
  readonly size: number;
  /** Gives an item to every reader. */
  send(item: EventItem): void;
  /** Gives several items to every reader. They count as one in a queue: a snapshot may be longer than the queue. */
  sendAll(items: readonly EventItem[]): void;
  /** Ends all readers with this error. */
  fail(error: unknown): void;
  /**
   * Adds a reader. It gets the items in `first`, and then everything that is sent from now on.
   *
   * `wanted` selects items, and must accept control items. Aborting `signal` ends the sequence with CallCancelled.
   * `left` is called once, when the reader has left.
   */
  add(options: ReaderOptions): AsyncIterable<EventItem>;
}

export interface ReaderOptions {
  readonly first: readonly EventItem[];
  readonly wanted: (item: EventItem) => boolean;
  readonly signal: AbortSignal;
  readonly left: () => void;
}

interface Reader {
  readonly wanted: (item: EventItem) => boolean;
  /** An array counts as one item. */
  queue: (EventItem | readonly EventItem[])[];
  /** Number of events that it has missed since its queue was full. */
  missed: number;
  failure: { readonly error: unknown } | undefined;
  hasLeft: boolean;
  wake: () => void;
}

export interface EventReadersOptions {
  /** Items that may wait for a reader; default 1,000. */
  readonly maxQueued?: number;
  /** Called when a reader misses its first event. */
  readonly gapped?: (() => void) | undefined;
}

export function createEventReaders({ maxQueued = 1000, gapped }: EventReadersOptions = {}): EventReaders {
  const readers = new Set<Reader>();

  function push(reader: Reader, item: EventItem | readonly EventItem[]): void {
    if (reader.missed > 0) {
      reader.missed += countOf(item);
      return;
    }
    if (reader.queue.length >= maxQueued) {
      reader.missed = reader.queue.reduce((sum, queued) => sum + countOf(queued), countOf(item));
      // An incomplete queue is of no use, so free its memory now.
      reader.queue = [];
      gapped?.();
    } else reader.queue.push(item);
    reader.wake();
  }

  return {
    get size() {
      return readers.size;
    },
    send(item) {
      for (const reader of readers) if (reader.wanted(item)) push(reader, item);
    },
    sendAll(items) {
      for (const reader of readers) push(reader, items);
    },
    fail(error) {
      for (const reader of readers) {
        reader.failure = { error };
        reader.wake();
      }
    },
    add({ first, wanted, signal, left }) {
      const reader: Reader = {
        wanted,
        queue: [],
        missed: 0,
        failure: undefined,
        hasLeft: false,
        wake: () => undefined,
      };
      const leave = (): void => {
        if (readers.delete(reader)) left();
        reader.hasLeft = true;
        reader.queue = [];
        reader.wake();
      };
      readers.add(reader);
      // A reader may leave before it asks for its first item. The generator has not started then.
      if (signal.aborted) leave();
      else signal.addEventListener("abort", leave, { once: true });
      const items = read(reader, { first, signal });
      return finallyOf(items, () => {
        signal.removeEventListener("abort", leave);
        leave();
      });
    },
  };
}

const countOf = (item: EventItem | readonly EventItem[]): number => (Array.isArray(item) ? item.length : 1);

async function* read(
  reader: Reader,
  { first, signal }: Pick<ReaderOptions, "first" | "signal">,
): AsyncGenerator<EventItem, void> {
  yield* first.filter(reader.wanted);
  for (;;) {
    if (signal.aborted) throw new CallCancelled("nobody reads the events any longer");
    if (reader.hasLeft) return;
    if (reader.missed > 0) {
      yield { type: "gap", time: timeOf(undefined), gap: reader.missed };
      return;
    }
    const item = reader.queue.shift();
    if (item !== undefined) {
      if (isBatch(item)) yield* item.filter(reader.wanted);
      else yield item;
      continue;
    }
    if (reader.failure !== undefined) throw reader.failure.error;
    await new Promise<void>((resolve) => {
      reader.wake = resolve;
    });
    reader.wake = () => undefined;
  }
}

const isBatch = (item: EventItem | readonly EventItem[]): item is readonly EventItem[] => Array.isArray(item);

/** Returns the same sequence. Calls `done` when it ends or the reader leaves, even before the first item. */
function finallyOf<T>(items: AsyncGenerator<T, void>, done: () => void): AsyncIterableIterator<T, void> {
  return {
    async next() {
      try {
        const result = await items.next();
        if (result.done) done();
        return result;
      } catch (error) {
        done();
        throw error;
      }
    },
    async return() {
      // Call this first: the generator may be waiting for an item, and `done` wakes it.
      done();
      return await items.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
