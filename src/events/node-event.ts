/** What happens on a node, in one model for every runtime. */

/** In the order of a lifecycle. */
export const eventTypes = [
  "pod.created",
  "pod.ready",
  "pod.stopped",
  "pod.removed",
  "container.created",
  "container.started",
  "container.exec",
  "container.oom",
  "container.exited",
  "container.removed",
  "image.pulled",
  "image.tagged",
  "image.removed",
] as const;

export type EventType = (typeof eventTypes)[number];

/** An event that has no place in the sequence yet. */
export interface EventDraft {
  readonly type: EventType;
  /** When it happened: RFC 3339, in UTC. */
  readonly time: string;
  readonly namespace?: string;
  /** The name of the pod; for a container, of its pod. */
  readonly pod?: string;
  readonly podSandboxId?: string;
  /** The name of the container. */
  readonly container?: string;
  readonly containerId?: string;
  /** The attempt of the container: how often its name was used before in its pod. */
  readonly attempt?: number;
  /** For a container, its image as the creator wrote it; for an image, its first name. */
  readonly image?: string;
  readonly imageId?: string;
  readonly repoTags?: readonly string[];
  readonly repoDigests?: readonly string[];
  /** Labels of the pod and of the container. Those of the container take precedence. */
  readonly labels?: { readonly [key: string]: string };
  /** Exit code of the container's first process, or of an exec. */
  readonly exitCode?: number;
  /** Name of the signal that ended the process, if the exit code implies one. */
  readonly signal?: string;
  /** `Completed`, `Error`, `OOMKilled`, or the runtime's own reason. */
  readonly reason?: string;
  readonly message?: string;
  /** Whether the kernel killed a process of the container for lack of memory. */
  readonly oom?: boolean;
  readonly execId?: string;
  /** Id of an earlier event that this one replaces, because the runtime has since reported more. */
  readonly amends?: string;
}

/** An event with its place in the sequence. */
export interface NodeEvent extends EventDraft {
  /** `BOOT.SEQ`: the boot changes when events may have been lost, the sequence counts from 1. */
  readonly id: string;
}

/** The current state of a pod or container, in the form of the event that led to it. It is not part of the sequence. */
export interface SnapshotEvent extends EventDraft {
  readonly snapshot: true;
}

/** Items that are not events. */
export type Control =
  /** Everything up to this id has been sent. */
  | { readonly type: "bookmark"; readonly id: string; readonly time: string }
  /** Events may be missing here. A snapshot follows, or the events that are still known. */
  | { readonly type: "resync"; readonly time: string }
  /** The reader was too slow and missed this many events. The stream ends. */
  | { readonly type: "gap"; readonly time: string; readonly gap: number };

export type EventItem = NodeEvent | SnapshotEvent | Control;

export const isControl = (item: EventItem): item is Control =>
  item.type === "bookmark" || item.type === "resync" || item.type === "gap";

/** Nanoseconds since 1970 as RFC 3339; without a time, now. */
export function timeOf(nanos: bigint | undefined): string {
  const ms = nanos === undefined || nanos <= 0n ? Date.now() : Number(nanos / 1_000_000n);
  return new Date(Math.min(ms, maxDateMs)).toISOString();
}

/** The latest moment that a Date can express, in milliseconds. */
const maxDateMs = 8.64e15;
