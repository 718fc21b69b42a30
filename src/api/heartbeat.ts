/** Signs of life in a stream that has nothing to say, so that proxies and clients keep its connection. */

/** Between two of them, in milliseconds. */
export const heartbeatMs = 15_000;

/** The items, with `heartbeat` between them while none comes. */
export async function* withHeartbeat<T>(
  items: AsyncIterable<T>,
  heartbeat: string | undefined,
): AsyncGenerator<T | string> {
  if (heartbeat === undefined) {
    yield* items;
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (let next = iterator.next(); ; ) {
      const result = await within(next, heartbeatMs);
      if (result === undefined) {
        yield heartbeat;
        continue;
      }
      if (result.done) return;
      yield result.value;
      next = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}

/** What a promise settles with; undefined when that takes longer. */
function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
