/**
 * What the gateway asks the runtime once and then remembers, as long as the connection lasts over which
 * the answer came: behind the next one there may be a newer runtime, or one that is configured anew.
 */
import type { Runtime } from "./channel.ts";

/** Asks `ask` at the first use, and again after the connection was lost. A failure is not remembered. */
export function oncePerConnection<T>(
  ask: (runtime: Runtime) => Promise<T>,
): (runtime: Runtime) => Promise<T> {
  const answers = new WeakMap<Runtime, Promise<T>>();
  return (runtime) => {
    const known = answers.get(runtime);
    if (known !== undefined) return known;
    const answer = ask(runtime);
    answers.set(runtime, answer);
    const forget = (): void => {
      if (answers.get(runtime) === answer) answers.delete(runtime);
    };
    answer.then(() => runtime.whenDropped(forget), forget);
    return answer;
  };
}
