/**
 * What the gateway asks the runtime once and then remembers, as long as the connection lasts over which
 * the answer came: behind the next one there may be a newer runtime, or one that is configured anew.
 */
import type { Runtime } from "./channel.ts";

/** Asks `ask` at the first use, and again after the connection was lost. A failure is not remembered. */
export function oncePerConnection<T>(
  ask: (runtime: Runtime) => Promise<T>,
): (runtime: Runtime) => Promise<T> {
  // Layers over one runtime have its `whenDropped`, so that all of them share the answer.
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
