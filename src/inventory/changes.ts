/**
 * Tells whether a reading of the runtime is still valid: until a change if events report changes, otherwise never.
 *
 * Never use this for the first response to a request. An event may arrive after the reply to the call that caused it,
 * but a client must find what it has just created.
 */

/** A pod or container that changed, as far as it is known. */
export interface ChangeEvent {
  /** Such as `container.exited`: see `GET /v1/events`. */
  readonly type: string;
  readonly podSandboxId?: string;
  readonly containerId?: string;
  /** Name and namespace of the pod. */
  readonly pod?: string;
  readonly namespace?: string;
  /** Those of the pod, and those of the container over them. */
  readonly labels?: { readonly [key: string]: string };
  /** Of a container that has exited. */
  readonly exitCode?: number;
}

/** Something changed, or changes may have been missed. */
export interface Change {
  /** What changed. Absent if changes may have been missed, and at the beginning. */
  readonly event?: ChangeEvent | undefined;
  /** Whether later changes will be reported. False while the runtime is unreachable. */
  readonly isFollowed: boolean;
}

export interface ChangeOptions {
  /** Limits it to a container, or to a pod and its containers. Default: all pods and containers. */
  readonly of?:
    | { readonly podSandboxId?: string | undefined; readonly containerId?: string | undefined }
    | undefined;
  /** How often the caller reads if it gets no changes, in milliseconds. */
  readonly insteadOfMs: number;
  /** Called once changes are reported, and after each change. */
  readonly changed: (change: Change) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Reports changes of pods and containers. */
export interface NodeChanges {
  /**
   * Resolves to true once changes are reported. Resolves to false if the runtime has no events, if they are
   * unavailable, or if following them takes more calls than reading every `insteadOfMs`. Never rejects.
   */
  onChange(options: ChangeOptions): Promise<boolean>;
}

export interface ChangeWatch {
  /** Whether a reading that began at this time (as `performance.now()`) is still valid. */
  isCurrent(readAtMs: number): boolean;
}

/** A reading that begins this many milliseconds after a change is expected to show it. */
const maxLagMs = 1000;
/** Maximum age of a reading in milliseconds, in case CRI lagged even longer. */
const maxAgeMs = 30_000;

/** Watches for changes from now on. */
export function watchChanges(changes: NodeChanges, options: Omit<ChangeOptions, "changed">): ChangeWatch {
  let isFollowed = false;
  let changedAtMs = performance.now();
  void changes.onChange({
    ...options,
    changed(change) {
      isFollowed = change.isFollowed;
      changedAtMs = performance.now();
    },
  });
  return {
    isCurrent: (readAtMs) =>
      isFollowed && readAtMs >= changedAtMs + maxLagMs && performance.now() < readAtMs + maxAgeMs,
  };
}
