/**
 * Answers that the gateway caches for the lifetime of the connection that they came over. The next connection may lead
 * to a newer runtime, or to one with a different configuration.
 */
import type { Runtime } from "./channel.ts";

/** Calls `ask` on first use, and again after the connection was lost. Does not cache failures. */
export function oncePerConnection<T>(
  ask: (runtime: Runtime) => Promise<T>,
): (runtime: Runtime) => Promise<T> {
  // All layers over one runtime have the same `whenDropped`, so they share the answer.
  const answers = new WeakMap<Runtime["whenDropped"], Promise<T>>();
  return (runtime) => {
    const connection = runtime.whenDropped;
    const known = answers.get(connection);
    if (known !== undefined) return known;
    const answer = ask(runtime);
    answers.set(connection, answer);
    const forget = (): void => {
      if (answers.get(connection) === answer) answers.delete(connection);
    };
    answer.then(() => runtime.whenDropped(forget), forget);
    return answer;
  };
}
