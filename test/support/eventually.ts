import { setTimeout as delay } from "node:timers/promises";

/**
 * Polls a condition until it holds, and returns its result.
 *
 * `false`, `undefined`, `null` and a thrown error mean that it does not hold yet. A condition may thus contain
 * assertions followed by `return true`.
 *
 * @param options.timeoutMs Default: 30,000, because a busy machine may be ten times slower.
 * @throws {Error} on timeout, with the last error of the condition as the cause.
 */
export async function eventually<Value>(
  condition: () => Value | Promise<Value>,
  { timeoutMs = 30_000, intervalMs = 10 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<Exclude<Value, false | undefined | null>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== undefined && value !== null) {
        return value as Exclude<Value, false | undefined | null>;
      }
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= endMs) {
      const why = failure instanceof Error ? `: ${failure.message}` : "";
      throw new Error(`Cannot wait longer: the condition does not hold after ${timeoutMs} ms${why}`, {
        cause: failure,
      });
    }
    await delay(intervalMs);
  }
}

/** Waits until a number above 0 stops changing, such as the bytes that fit into all buffers on a path. */
export async function untilStill(current: () => number): Promise<void> {
  let seen = 0;
  const isStill = () => {
    const before = seen;
    seen = current();
    return seen > 0 && seen === before;
  };
  await eventually(isStill, { timeoutMs: 30_000, intervalMs: 500 });
}
