/** Heartbeats for an idle stream, so that proxies and clients keep the connection open. */

/** Milliseconds between heartbeats. */
export const heartbeatMs = 15_000;

/** Yields the items, and `heartbeat` while none arrives. Without a `heartbeat`, yields only the items. */
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

/** The result of a promise; undefined if it takes longer than `limitMs`. */
function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
