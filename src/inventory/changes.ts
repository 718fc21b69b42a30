/**
 * Says when what was read of the runtime may no longer be true. Where events report changes, one reading lasts until the
 * next change; elsewhere readings are repeated at an interval.
 *
 * Never use it for the first answer to a request: an event may arrive after the reply to the call that caused it, and a
 * client must find what it has just created.
 */

/** Something changed, or changes may have been missed. */
export interface Change {
  /** Of a container that has exited. */
  readonly exitCode?: number | undefined;
  /** Whether later changes will be reported. False while the runtime is unreachable. */
  readonly isFollowed: boolean;
}

export interface ChangeOptions {
  /** Only changes of this pod with its containers, or of this container. Default: of all pods and containers. */
  readonly of?:
    | { readonly podSandboxId?: string | undefined; readonly containerId?: string | undefined }
    | undefined;
  /** Milliseconds between two readings of a caller that gets no changes. */
  readonly insteadOfMs: number;
  /** Called once it has begun, and after each change. */
  readonly changed: (change: Change) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Reports changes of pods and containers. */
export interface NodeChanges {
  /**
   * Resolves to true once changes are reported. Resolves to false if they are not: the runtime has no events, its
   * events cannot be had, or following them costs more calls than a reading every `insteadOfMs`. Never rejects.
   */
  onChange(options: ChangeOptions): Promise<boolean>;
}

export interface ChangeWatch {
  /** Whether a reading that began at this time, by `performance.now()`, is still true. */
  isCurrent(readAtMs: number): boolean;
  /** Resolves when that reading should be repeated, or when the signal aborts. For one caller at a time. */
  due(readAtMs: number): Promise<void>;
  /** Makes earlier readings outdated, for example after one that failed. */
  outdate(): void;
}

/** CRI takes this long to show most of what events report, in milliseconds. */
const usualLagMs = 100;
/** A reading that began this long after a change shows it, in milliseconds. */
const maxLagMs = 1000;
/** After this time a reading is repeated without a change, in case CRI lagged even longer. In milliseconds. */
const maxAgeMs = 30_000;

/** Watches for changes from now on. */
export function watchChanges(
  changes: NodeChanges,
  { of, insteadOfMs, signal }: Omit<ChangeOptions, "changed">,
): ChangeWatch {
  let isFollowed = false;
  let changedAtMs = performance.now();
  /** The first change since the last reading became due. */
  let pendingSinceMs: number | undefined;
  let wake = (): void => undefined;

  function note(): void {
    changedAtMs = performance.now();
    pendingSinceMs ??= changedAtMs;
    wake();
  }

  function isCurrent(readAtMs: number): boolean {
    return isFollowed && readAtMs >= changedAtMs + maxLagMs && performance.now() < readAtMs + maxAgeMs;
  }

  function dueAtMs(readAtMs: number): number {
    if (isCurrent(readAtMs)) return readAtMs + maxAgeMs;
    const next = readAtMs + insteadOfMs;
    return pendingSinceMs === undefined ? next : Math.max(next, pendingSinceMs + usualLagMs);
  }

  signal.addEventListener("abort", () => wake(), { once: true });
  void changes.onChange({
    of,
    insteadOfMs,
    signal,
    changed(change) {
      isFollowed = change.isFollowed;
      note();
    },
  });
  return {
    isCurrent,
    async due(readAtMs) {
      for (;;) {
        const restMs = dueAtMs(readAtMs) - performance.now();
        if (restMs <= 0 || signal.aborted) break;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, restMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      pendingSinceMs = undefined;
    },
    outdate: note,
  };
}
