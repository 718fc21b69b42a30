/** Where `crest stats` gets its readings. */
import type { Client, LiveUsage, LiveUsages, StreamOptions } from "../../client/index.ts";

export interface Selection {
  /** Pods instead of containers. */
  readonly pods: boolean;
  /** Only these, by id or name. Default: all. */
  readonly only: readonly string[];
  readonly query: {
    readonly interval?: string | undefined;
    readonly name?: string | undefined;
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly pod?: string | undefined;
  };
}

/** Readings as they come; ends when all that are wanted have ended. */
export function readings(
  crest: Client,
  { pods, only, query }: Selection,
  options: StreamOptions,
): AsyncIterable<LiveUsages> {
  if (only.length === 0)
    return pods ? crest.watchPodStats(query, options) : crest.watchContainerStats(query, options);
  const { interval } = query;
  return merged(
    only.map((name) =>
      pods
        ? crest.watchOnePodStats({ podSandboxId: name, interval }, options)
        : crest.watchOneContainerStats({ containerId: name, interval }, options),
    ),
  );
}

/** The latest of each stream, whenever one of them has another. */
async function* merged(streams: readonly AsyncIterable<LiveUsage>[]): AsyncGenerator<LiveUsages, void> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const latest = new Map<number, LiveUsage>();
  const next = async (index: number) => ({ index, result: await iterators[index]?.next() });
  const pending = new Map(iterators.map((_, index) => [index, next(index)] as const));
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result === undefined || result.done) {
        pending.delete(index);
        latest.delete(index);
      } else {
        latest.set(index, result.value);
        pending.set(index, next(index));
      }
      const time = new Date().toISOString();
      yield { time, items: [...latest.values()] };
    }
  } finally {
    for (const one of pending.values()) one.catch(() => undefined);
    for (const iterator of iterators) void iterator.return?.().catch(() => undefined);
  }
}
