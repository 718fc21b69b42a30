/** What happens on a node, in one model for every runtime. */

/** In the order of a life. */
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

/** What an event says, before it has a place in the sequence. */
export interface EventDraft {
  readonly type: EventType;
  /** When it happened: RFC 3339, in UTC. */
  readonly time: string;
  readonly namespace?: string;
  /** The name of the pod; of a container, that of its pod. */
  readonly pod?: string;
  readonly podSandboxId?: string;
  /** The name of the container. */
  readonly container?: string;
  readonly containerId?: string;
  /** The attempt of the container: how often its name was used before in its pod. */
  readonly attempt?: number;
  /** The image of a container as its creator wrote it; of an image, its first name. */
  readonly image?: string;
  readonly imageId?: string;
  readonly repoTags?: readonly string[];
  readonly repoDigests?: readonly string[];
  /** Those of the pod, and those of the container over them. */
  readonly labels?: { readonly [key: string]: string };
  /** Of the first process, or of an exec that ended. */
  readonly exitCode?: number;
  /** The signal that ended the process, by name, if the exit code says so. */
  readonly signal?: string;
  /** `Completed`, `Error`, `OOMKilled`, or the runtime's own word. */
  readonly reason?: string;
  readonly message?: string;
  /** Whether the kernel killed a process of the container for lack of memory. */
  readonly oom?: boolean;
  readonly execId?: string;
  /** The id of an earlier event, which this one replaces because the runtime has said more since. */
  readonly amends?: string;
}

/** An event in its place. */
export interface NodeEvent extends EventDraft {
  /** `BOOT.SEQ`: the boot changes when events may have been lost, the sequence counts from 1. */
  readonly id: string;
}

/** What is on the node now, written as the event that led to it. It has no place in the sequence. */
export interface SnapshotEvent extends EventDraft {
  readonly snapshot: true;
}

/** What is not an event. */
export type Control =
  /** All that happened up to this id has been sent. */
  | { readonly type: "bookmark"; readonly id: string; readonly time: string }
  /** Events may be missing before this one. A snapshot, or what is still known, follows. */
  | { readonly type: "resync"; readonly time: string }
  /** The reader was too slow and missed this many events; the stream ends. */
  | { readonly type: "gap"; readonly time: string; readonly gap: number };

export type EventItem = NodeEvent | SnapshotEvent | Control;

/** Nanoseconds since 1970 as RFC 3339; without a time, now. */
export function timeOf(nanos: bigint | undefined): string {
  const ms = nanos === undefined || nanos <= 0n ? Date.now() : Number(nanos / 1_000_000n);
  return new Date(Math.min(ms, maxDateMs)).toISOString();
}

/** The latest moment that a Date can express, in milliseconds. */
const maxDateMs = 8.64e15;
