/**
 * The events of a node: one subscription to the runtime for all readers, as long as there are any.
 *
 * The subscription begins with the first reader and lingers after the last, so that a reader that comes back can
 * continue. When the connection to the runtime is lost, events may be: the boot in the ids changes, and every reader
 * gets `resync`, what the lists show to have happened, a snapshot and a bookmark.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { ChangeOptions, NodeChanges } from "../inventory/changes.ts";
import { identify } from "../runtimes/identity.ts";
import { createEventReaders } from "./event-readers.ts";
import { createEventRing, type EventRing } from "./event-ring.ts";
import { type EventSourceName, listEveryMs as listEvery, sourceOf } from "./event-source.ts";
import { createImageState } from "./image-state.ts";
import {
  type Control,
  type EventDraft,
  type EventItem,
  type NodeEvent,
  type SnapshotEvent,
  timeOf,
} from "./node-event.ts";
import { createNodeState, type NodeState } from "./node-state.ts";
import type { NodeReader } from "./read-node.ts";

export interface ReadEventsOptions {
  /**
   * Where to begin: behind an event (`id`), at a moment (`time`, milliseconds since 1970), or with a snapshot (absent).
   * After an id that is not known any longer come `resync` and a snapshot; after a time that is too long ago `resync`
   * and the events that are still known.
   */
  readonly since?: { readonly id: string } | { readonly time: number } | undefined;
  /** Whether to go on after the bookmark that follows these items. */
  readonly watch: boolean;
  /** Selects events; items that are no events always come. */
  readonly wanted: (event: EventItem) => boolean;
  readonly signal: AbortSignal;
}

export interface NodeEvents {
  /**
   * What has happened, a bookmark, and then with `watch` what happens. A reader that falls 1,000 events behind gets a
   * `gap` and the sequence ends.
   *
   * @throws {GatewayError} If the runtime cannot be followed. Later outages end no sequence: see above.
   * @throws {CallCancelled} When `signal` aborts.
   */
  read(options: ReadEventsOptions): Promise<AsyncIterable<EventItem>>;
  /** Reports changes to other parts of the gateway. False where there are only lists. */
  readonly onChange: NodeChanges["onChange"];
  /** The known events of a container, oldest first. Only those since there is a reader. */
  ofContainer(containerId: string): readonly NodeEvent[];
  /** Where the events come from, or would come from if there were a reader. @throws {GatewayError} */
  source(): Promise<EventSourceName>;
  /** Looks at a container whose state may have changed without an event, such as after a start that failed. */
  lookAt(containerId: string): void;
  close(): void;
}

export interface NodeEventsOptions {
  readonly runtime: Runtime;
  /** Called with failures that no reader is told of. */
  readonly report: (error: unknown) => void;
  /** Milliseconds for which the subscription stays after the last reader; default 60,000. */
  readonly lingerMs?: number | undefined;
  /** Milliseconds between two lists; default: depends on the source. */
  readonly listEveryMs?: number | undefined;
}

/** Loads what the first reader needs: the gateway listens earlier without it. */
export const loadFollower = (): Promise<typeof import("./follow-runtime.ts")> =>
  import("./follow-runtime.ts");

const defaultLingerMs = 60_000;
/** Milliseconds between two attempts to reach a runtime that is away, at first and at most. */
const firstRetryMs = 100;
const maxRetryMs = 2000;

interface Session {
  readonly abort: AbortController;
  /** Settles once the state is complete; rejects if the runtime cannot be followed from the start. */
  readonly ready: Promise<void>;
  readonly state: NodeState;
  boot: string;
  seq: number;
  ring: EventRing;
  source: EventSourceName | undefined;
  reader: NodeReader | undefined;
}

export function createNodeEvents({
  runtime,
  report,
  lingerMs = defaultLingerMs,
  listEveryMs,
}: NodeEventsOptions): NodeEvents {
  const readers = createEventReaders();
  let session: Session | undefined;
  let lingering: NodeJS.Timeout | undefined;
  /** Readers, and those that wait for the session to be ready. */
  let users = 0;
  let closed = false;

  function begin(): Session {
    let quiet = true;
    const emit = (draft: EventDraft): string => {
      if (quiet) return "";
      one.seq++;
      const event: NodeEvent = { id: idOf(one), ...draft };
      one.ring.push(event, one.seq);
      readers.send(event);
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
      boot: newBoot(),
      seq: 0,
      ring: createEventRing(),
      source: undefined,
      reader: undefined,
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

  /** What a reader gets before the events of the future. */
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
        await Promise.race([one.ready, cancelled(signal)]);
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
    ofContainer: (containerId) => session?.ring.ofContainer(containerId) ?? [],
    source: bestSource,
    lookAt(containerId) {
      session?.reader?.lookAtContainer(containerId).catch(report);
    },
    close() {
      closed = true;
      clearTimeout(lingering);
      if (session !== undefined) end(session);
      readers.fail(new GatewayError("shutting_down", "The gateway is shutting down"));
    },
  };
}

const isControl = (item: EventItem): item is Control =>
  item.type === "bookmark" || item.type === "resync" || item.type === "gap";

/** Selects what changes the state of a pod or container: of one, or of any. Commands and images do not. */
function isChangeOf({ podSandboxId, containerId }: ChangeOptions["of"] = {}): (item: EventItem) => boolean {
  return (item) => {
    if (isControl(item)) return true;
    if (item.type.startsWith("image.") || item.type === "container.exec") return false;
    if (containerId !== undefined) return item.containerId === containerId;
    return podSandboxId === undefined || item.podSandboxId === podSandboxId;
  };
}

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
