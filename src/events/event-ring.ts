/** Keeps the latest events in memory: up to 10,000, none older than 10 minutes. */
import type { NodeEvent } from "./node-event.ts";

export interface EventRing {
  push(event: NodeEvent, seq: number): void;
  /** Returns the events after this number, oldest first; undefined if some of them have been dropped. */
  after(seq: number): readonly NodeEvent[] | undefined;
  /** Returns the events whose own time is `timeMs` (milliseconds since 1970) or later. */
  since(timeMs: number): readonly NodeEvent[];
  /** Returns the events of one container, oldest first. */
  ofContainer(containerId: string): readonly NodeEvent[];
  /** All events since this time are still here. In milliseconds since 1970. */
  readonly completeSinceMs: number;
  readonly size: number;
}

export interface RingOptions {
  readonly maxEvents?: number;
  readonly maxAgeMs?: number;
  /** A clock in milliseconds since 1970. */
  readonly now?: () => number;
}

interface Entry {
  readonly event: NodeEvent;
  readonly seq: number;
  /** When it was pushed. */
  readonly atMs: number;
}

export function createEventRing({
  maxEvents = 10_000,
  maxAgeMs = 600_000,
  now = Date.now,
}: RingOptions = {}): EventRing {
  // A queue with a moving head, because removing the first element of an array moves all others.
  let entries: Entry[] = [];
  let head = 0;
  let lastDropped = 0;
  let completeSinceMs = now();

  function drop(): void {
    const limitMs = now() - maxAgeMs;
    for (let entry = entries[head]; entry !== undefined; entry = entries[head]) {
      if (entries.length - head <= maxEvents && entry.atMs >= limitMs) break;
      lastDropped = entry.seq;
      completeSinceMs = entry.atMs;
      head++;
    }
    if (head > 1024 && head * 2 > entries.length) {
      entries = entries.slice(head);
      head = 0;
    }
  }

  const all = (): Entry[] => {
    drop();
    return entries.slice(head);
  };
  const eventsOf = (some: readonly Entry[]): readonly NodeEvent[] => some.map(({ event }) => event);

  return {
    push(event, seq) {
      entries.push({ event, seq, atMs: now() });
      drop();
    },
    after(seq) {
      drop();
      if (seq < lastDropped) return undefined;
      return eventsOf(all().filter((entry) => entry.seq > seq));
    },
    since: (timeMs) => eventsOf(all().filter(({ event }) => Date.parse(event.time) >= timeMs)),
    ofContainer: (containerId) => eventsOf(all().filter(({ event }) => event.containerId === containerId)),
    get completeSinceMs() {
      drop();
      return completeSinceMs;
    },
    get size() {
      return entries.length - head;
    },
  };
}
