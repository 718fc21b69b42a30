/**
 * The events of a node: all readers share one subscription to the runtime.
 *
 * The subscription starts with the first reader, and lingers after the last one, so that a reader that reconnects can
 * continue. Events may be lost with the connection to the runtime. The boot in the ids then changes, and every reader
 * gets `resync`, the changes that lists reveal, a snapshot and a bookmark.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { ChangeOptions, NodeChanges } from "../inventory/changes.ts";
import type { Kind } from "../inventory/inventory.ts";
import type { SeenPod } from "../inventory/visibility.ts";
import { identify } from "../runtimes/identity.ts";
import { createEventReaders } from "./event-readers.ts";
import { createEventRing, type EventRing } from "./event-ring.ts";
import { type EventSourceName, listEveryMs as listEvery, sourceOf } from "./event-source.ts";
import { createImageState } from "./image-state.ts";
import {
  type EventDraft,
  type EventItem,
  type EventType,
  isControl,
  type NodeEvent,
  type SnapshotEvent,
  timeOf,
} from "./node-event.ts";
import { createNodeState, type NodeState } from "./node-state.ts";
import type { NodeReader } from "./read-node.ts";

export interface ReadEventsOptions {
  /**
   * Where to start: after an event (`id`), at a time (`time`, milliseconds since 1970), or with a snapshot (absent). If
   * the id is no longer known, `resync` and a snapshot come first. If the time is too long ago, `resync` and the events
   * that are still known come first.
   */
  readonly since?: { readonly id: string } | { readonly time: number } | undefined;
  /** Whether to continue after the bookmark that follows these items. */
  readonly watch: boolean;
  /** Selects items. Must accept control items. */
  readonly wanted: (event: EventItem) => boolean;
  readonly signal: AbortSignal;
}

export interface NodeEvents {
  /**
   * Returns past events, a bookmark, and then, with `watch`, new events. A reader that falls 1,000 events behind gets a
   * `gap`, and its sequence ends.
   *
   * @throws {GatewayError} If the runtime cannot be followed. Later outages do not end a sequence: see above.
   * @throws {CallCancelled} When `signal` aborts.
   */
  read(options: ReadEventsOptions): Promise<AsyncIterable<EventItem>>;
  /** Reports changes to other parts of the gateway. False where there are only lists. */
  readonly onChange: NodeChanges["onChange"];
  /** The known events of a container. Undefined while nobody reads events, as none are kept then. */
  ofContainer(containerId: string): KnownEvents | undefined;
  /** The pod of this id, or of the container, as far as events told. Undefined while nobody reads events. */
  podOf(kind: Kind, id: string): SeenPod | undefined;
  /** Returns where events come from, or would come from if there were a reader. @throws {GatewayError} */
  source(): Promise<EventSourceName>;
  /** Reads a container whose state may have changed without an event, for example after a failed start. */
  lookAt(containerId: string): void;
  /** Number of readers, with those that follow changes. */
  readonly readers: number;
  close(): void;
}

/** Events that are still known. */
export interface KnownEvents {
  /** Oldest first. */
  readonly events: readonly NodeEvent[];
  /** Since when none is missing, in milliseconds since 1970. */
  readonly completeSinceMs: number;
}

/** Receives what happens to events, for metrics. */
export interface EventsObserver {
  /** `lagSeconds`: time since what the event reports; absent for images, whose events have no time of their own. */
  emitted(type: EventType, source: EventSourceName, lagSeconds: number | undefined): void;
  /** The connection was lost, and events may have been, too. */
  resynced(source: EventSourceName): void;
  /** A reader was too slow and missed events. */
  gapped(): void;
}

export interface NodeEventsOptions {
  readonly runtime: Runtime;
  /** Called with failures that no reader learns about. */
  readonly report: (error: unknown) => void;
  readonly observer?: EventsObserver | undefined;
  /** Milliseconds for which the subscription stays after the last reader; default 60,000. */
  readonly lingerMs?: number | undefined;
  /** Milliseconds between two lists; default: depends on the source. */
  readonly listEveryMs?: number | undefined;
}

/** Loads what the first reader needs. It is loaded late so that the gateway listens earlier. */
export const loadFollower = (): Promise<typeof import("./follow-runtime.ts")> =>
  import("./follow-runtime.ts");

const defaultLingerMs = 60_000;
/** Initial and maximum time between two attempts to reach an unreachable runtime, in milliseconds. */
const firstRetryMs = 100;
const maxRetryMs = 2000;

interface Session {
  readonly abort: AbortController;
  /** Settles once the state is complete; rejects if the runtime cannot be followed from the start. */
  readonly ready: Promise<void>;
  readonly state: NodeState;
  /** By id, also those that have been removed. */
  readonly pods: Map<string, SeenPod>;
  boot: string;
  seq: number;
  ring: EventRing;
  source: EventSourceName | undefined;
  reader: NodeReader | undefined;
  /** Settles once a snapshot can be made: see `NodeReader.readStatuses`. */
  explained: Promise<void> | undefined;
}

export function createNodeEvents({
  runtime,
  report,
  observer,
  lingerMs = defaultLingerMs,
  listEveryMs,
}: NodeEventsOptions): NodeEvents {
  const readers = createEventReaders({ gapped: observer?.gapped });
  let session: Session | undefined;
  let lingering: NodeJS.Timeout | undefined;
  /** Readers, and those that wait for the session to be ready. */
  let users = 0;
  let closed = false;

  function begin(): Session {
    let quiet = true;
    const emit = (draft: EventDraft): string => {
      notePod(one.pods, draft);
      if (quiet) return "";
      one.seq++;
      const event: NodeEvent = { id: idOf(one), ...draft };
      one.ring.push(event, one.seq);
      readers.send(event);
      if (one.source !== undefined) observer?.emitted(draft.type, one.source, lagOf(draft));
      return event.id;
    };
    const state = createNodeState(emit);
    const images = createImageState(emit);
    const abort = new AbortController();
    let settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    ready.catch(() => undefined);
    const one: Session = {
      abort,
      ready,
      state,
      pods: new Map(),
      boot: newBoot(),
      seq: 0,
      ring: createEventRing(),
      source: undefined,
      reader: undefined,
      explained: undefined,
    };
    void follow();
    return one;

    async function follow(): Promise<void> {
      let isFirst = true;
      let retryMs = firstRetryMs;
      while (!abort.signal.aborted) {
        if (!isFirst) {
          one.boot = newBoot();
          one.seq = 0;
          one.ring = createEventRing();
        }
        try {
          const { followRuntime } = await loadFollower();
          await followRuntime({
            runtime,
            state,
            images,
            signal: abort.signal,
            isFirst,
            listEveryMs,
            report,
            ready(source, reader) {
              one.source = source;
              one.reader = reader;
              retryMs = firstRetryMs;
              if (isFirst) {
                isFirst = false;
                quiet = false;
                settle?.resolve();
              } else readers.sendAll([...state.snapshot(), bookmarkOf(one)]);
            },
          });
        } catch (error) {
          if (abort.signal.aborted) return;
          if (isFirst) {
            end(one);
            settle?.reject(error);
            return;
          }
          if (one.reader !== undefined) {
            one.reader = undefined;
            readers.send({ type: "resync", time: timeOf(undefined) });
            if (one.source !== undefined) observer?.resynced(one.source);
            report(error);
          }
        }
        await delay(retryMs, undefined, { signal: abort.signal, ref: false }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, maxRetryMs);
      }
    }
  }

  function end(one: Session): void {
    one.abort.abort();
    if (session === one) session = undefined;
  }

  function enter(): Session {
    users++;
    clearTimeout(lingering);
    session ??= begin();
    return session;
  }

  function leave(): void {
    users--;
    if (users > 0 || session === undefined) return;
    const last = session;
    lingering = setTimeout(() => end(last), lingerMs);
    lingering.unref();
  }

  const bestSource = async (): Promise<EventSourceName> =>
    session?.source ?? sourceOf((await identify(runtime)).name);

  /** Reads what a snapshot needs, once. Nothing else needs these calls. */
  function explain(one: Session): Promise<void> | undefined {
    one.explained ??= one.reader?.readStatuses().catch((error: unknown) => {
      one.explained = undefined;
      throw error;
    });
    return one.explained;
  }

  /** Returns what a reader gets before new events. */
  function firstItems(one: Session, since: ReadEventsOptions["since"]): readonly EventItem[] {
    const bookmark = bookmarkOf(one);
    const resync: EventItem = { type: "resync", time: timeOf(undefined) };
    if (since === undefined) return [...one.state.snapshot(), bookmark];
    if ("id" in since) {
      const [boot, seq] = since.id.split(".");
      const missed = boot === one.boot && Number(seq) <= one.seq ? one.ring.after(Number(seq)) : undefined;
      return missed === undefined ? [resync, ...one.state.snapshot(), bookmark] : [...missed, bookmark];
    }
    const events = one.ring.since(since.time);
    return since.time < one.ring.completeSinceMs ? [resync, ...events, bookmark] : [...events, bookmark];
  }

  return {
    async read({ since, watch, wanted, signal }) {
      if (closed) throw new GatewayError("shutting_down", "The gateway is shutting down");
      const one = enter();
      try {
        await Promise.race([one.ready.then(() => explain(one)), cancelled(signal)]);
      } catch (error) {
        leave();
        throw error;
      }
      const first = firstItems(one, since);
      if (watch) return readers.add({ first, wanted, signal, left: leave });
      leave();
      return (async function* () {
        yield* first.filter(wanted);
      })();
    },
    async onChange({ of, insteadOfMs, changed, signal }) {
      const source = await bestSource().catch(() => undefined);
      if (source === undefined || source === "lists" || listEvery[source] <= insteadOfMs) return false;
      if (closed || signal.aborted) return false;
      const one = enter();
      try {
        await Promise.race([one.ready, cancelled(signal)]);
      } catch {
        leave();
        return false;
      }
      if (one.source === "lists") {
        leave();
        return false;
      }
      const tell = (event?: NodeEvent | SnapshotEvent): void =>
        changed({ event, isFollowed: !closed && one.reader !== undefined });
      const follow = async (): Promise<void> => {
        while (!signal.aborted) {
          const items = readers.add({ first: [], wanted: isChangeOf(of), signal, left: () => undefined });
          // At the beginning, and after it fell behind: the sequence has ended then.
          tell();
          for await (const item of items) tell(isControl(item) ? undefined : item);
        }
      };
      void follow()
        .catch(() => tell())
        .finally(leave);
      return true;
    },
    ofContainer(containerId) {
      if (session?.source === undefined) return undefined;
      const { ring } = session;
      return { events: ring.ofContainer(containerId), completeSinceMs: ring.completeSinceMs };
    },
    podOf(kind, id) {
      const ofContainer = (): string | undefined => session?.ring.ofContainer(id).at(-1)?.podSandboxId;
      return session?.pods.get((kind === "pod" ? id : ofContainer()) ?? "");
    },
    source: bestSource,
    lookAt(containerId) {
      session?.reader?.lookAtContainer(containerId).catch(report);
    },
    get readers() {
      return readers.size;
    },
    close() {
      closed = true;
      clearTimeout(lingering);
      if (session !== undefined) end(session);
      readers.fail(new GatewayError("shutting_down", "The gateway is shutting down"));
    },
  };
}

/** Selects what changes the state of a pod or container: of one, or of any. Commands and images do not. */
function isChangeOf({ podSandboxId, containerId }: ChangeOptions["of"] = {}): (item: EventItem) => boolean {
  return (item) => {
    if (isControl(item)) return true;
    if (item.type.startsWith("image.") || item.type === "container.exec") return false;
    if (containerId !== undefined) return item.containerId === containerId;
    return podSandboxId === undefined || item.podSandboxId === podSandboxId;
  };
}

/** Pods that are remembered, with those that have been removed. */
const maxPods = 10_000;

/** Only the events of a pod itself have its labels alone. */
function notePod(pods: Map<string, SeenPod>, { type, podSandboxId: id, ...facts }: EventDraft): void {
  if (type !== "pod.created" || id === undefined) return;
  const { namespace = "", pod: name = "", labels = {} } = facts;
  pods.set(id, { namespace, name, labels });
  const [oldest = ""] = pods.keys();
  if (pods.size > maxPods) pods.delete(oldest);
}

/** The clock of another process may be ahead. */
const lagOf = ({ type, time }: EventDraft): number | undefined =>
  type.startsWith("image.") ? undefined : Math.max(0, Date.now() - Date.parse(time)) / 1000;

const newBoot = (): string => randomBytes(4).toString("hex");
const idOf = ({ boot, seq }: Session): string => `${boot}.${seq}`;
const bookmarkOf = (session: Session): EventItem => ({
  type: "bookmark",
  id: idOf(session),
  time: timeOf(undefined),
});

/** Rejects when the signal aborts. Keeps no listener for longer than `signal` lives, which is one request. */
function cancelled(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const cancel = (): void => reject(new CallCancelled("nobody reads the events any longer"));
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
}
