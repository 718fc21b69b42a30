/** Runs steps for the same pod or container in sequence, and steps for different ones concurrently. */
export interface SubjectChains {
  /** Runs `step` after the earlier steps of this id. A step that fails does not stop the next ones. */
  run(id: string, step: () => void | Promise<void>): void;
  /** Settles when no step is left. */
  idle(): Promise<void>;
}

/** `failed`: called with what a step throws. */
export function createSubjectChains(failed: (error: unknown) => void): SubjectChains {
  const tails = new Map<string, Promise<void>>();
  return {
    run(id, step) {
      const before = tails.get(id);
      // If there is no earlier step, start now, so that an exit is emitted before later events.
      const begun = before === undefined ? attempt(step) : before.then(step);
      const tail: Promise<void> = Promise.resolve(begun)
        .catch(failed)
        .finally(() => {
          if (tails.get(id) === tail) tails.delete(id);
        });
      tails.set(id, tail);
    },
    async idle() {
      while (tails.size > 0) await Promise.all(tails.values());
    },
  };
}

async function attempt(step: () => void | Promise<void>): Promise<void> {
  await step();
}
