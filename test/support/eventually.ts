import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits until a condition holds, asking again and again, and gives what it returned.
 *
 * `false`, `undefined` and `null` say that it does not hold yet, and so does an error: assertions may stand
 * in it, with `return true` behind them.
 *
 * @param options.timeoutMs 5,000 by default.
 * @throws {Error} when the time is over, with the condition's last error as the cause.
 */
export async function eventually<Value>(
  condition: () => Value | Promise<Value>,
  { timeoutMs = 5000, intervalMs = 10 }: { timeoutMs?: number; intervalMs?: number } = {},
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

/** Waits until a number above 0 stays what it is: that of the bytes that fit into all buffers on a way. */
export async function untilStill(current: () => number): Promise<void> {
  let seen = 0;
  const isStill = () => {
    const before = seen;
    seen = current();
    return seen > 0 && seen === before;
  };
  await eventually(isStill, { timeoutMs: 30_000, intervalMs: 500 });
}
