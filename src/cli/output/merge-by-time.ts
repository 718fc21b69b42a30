/** Sequences that are each in the order of time, as one. */

export interface Timed {
  /** RFC 3339 in UTC, always with the same number of digits. */
  readonly time?: string | undefined;
}

/** Reads one item ahead of each. A sequence that fails is told to `failed`, and the others go on. */
export async function* mergeByTime<Source, Item extends Timed>(
  sources: readonly Source[],
  itemsOf: (source: Source) => AsyncIterable<Item>,
  failed: (error: unknown) => void,
): AsyncGenerator<{ readonly from: Source; readonly item: Item }, void> {
  const heads = new Map<Source, Item>();
  const iterators = new Map(sources.map((source) => [source, itemsOf(source)[Symbol.asyncIterator]()]));
  const advance = async (source: Source): Promise<void> => {
    heads.delete(source);
    try {
      const result = await iterators.get(source)?.next();
      if (result !== undefined && !result.done) heads.set(source, result.value);
    } catch (error) {
      failed(error);
    }
  };
  try {
    await Promise.all(sources.map(advance));
    for (;;) {
      let first: Source | undefined;
      let firstTime: string | undefined;
      // In the order of the sources, so that equal times are always in the same order.
      for (const source of sources) {
        const head = heads.get(source);
        if (head === undefined) continue;
        const { time = "" } = head;
        if (firstTime !== undefined && time >= firstTime) continue;
        first = source;
        firstTime = time;
      }
      const item = first === undefined ? undefined : heads.get(first);
      if (first === undefined || item === undefined) return;
      yield { from: first, item };
      await advance(first);
    }
  } finally {
    await Promise.all([...iterators.values()].map((one) => one.return?.()));
  }
}
