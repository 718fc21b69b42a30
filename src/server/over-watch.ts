/** Ends what callers have open, once they may not go on: their tokens were revoked, or have expired. */

export interface OverWatch {
  /**
   * Calls `end` once, with the reason, when `whyOver` returns one. Returns a function that stops the watch.
   *
   * @param whyOver Undefined: never.
   */
  watch(whyOver: WhyOver | undefined, end: (why: string) => void): () => void;
}

/** Why a caller may not go on; undefined while it may. */
export type WhyOver = () => string | undefined;

/** Milliseconds between two looks. */
const everyMs = 500;

const nothing = (): void => undefined;

export function createOverWatch(): OverWatch {
  const watched = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;

  function forget(look: () => void): void {
    watched.delete(look);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    watch(whyOver, end) {
      if (whyOver === undefined) return nothing;
      const look = (): void => {
        const why = whyOver();
        if (why === undefined) return;
        forget(look);
        end(why);
      };
      watched.add(look);
      timer ??= setInterval(() => {
        for (const one of [...watched]) one();
      }, everyMs).unref();
      return () => forget(look);
    },
  };
}
