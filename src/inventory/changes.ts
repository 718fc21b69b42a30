/** How the events of a runtime reach those who would otherwise poll pods and containers. */

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

export interface Change {
  /** What changed. Absent when changes may have been missed, and at the beginning. */
  readonly event?: ChangeEvent | undefined;
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
