/** Follows one connection to the runtime: its events, if it has any, and its lists. */
import { setMaxListeners } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { createContainerdClient } from "../containerd/client.ts";
import { type ContainerdEvent, decodeEvent } from "../containerd/events.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { decodeReply, encodeRequest } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerEventResponse } from "../gen/messages.ts";
import { identify } from "../runtimes/identity.ts";
import { type EventSourceName, listEveryMs, sourceOf } from "./event-source.ts";
import { createContainerdEvents } from "./from-containerd.ts";
import { createCriEvents } from "./from-cri.ts";
import type { ImageState } from "./image-state.ts";
import type { NodeState } from "./node-state.ts";
import { createNodeReader, type NodeReader } from "./read-node.ts";
import { createSubjectChains } from "./subject-chains.ts";

export interface FollowOptions {
  readonly runtime: Runtime;
  readonly state: NodeState;
  readonly images: ImageState;
  readonly signal: AbortSignal;
  /** Whether this is the first connection. What is found at its start existed before, so no events follow. */
  readonly isFirst: boolean;
  /** Milliseconds between two lists; default: see `listEveryMs`. */
  readonly listEveryMs?: number | undefined;
  /** Called once the state is complete. Changes from then on are new. */
  readonly ready: (source: EventSourceName, reader: NodeReader) => void;
  /** Called with failures that the next list compensates for. */
  readonly report: (error: unknown) => void;
}

/** Maximum number of events that wait while the first list is read. The second list compensates for the others. */
const maxWaiting = 10_000;
/** Images change in bursts. */
const imagesPauseMs = 100;
/** Time until the second list, which finds what happened before the subscription took effect. */
const secondListMs = 1000;

/**
 * Runs until the connection ends or `signal` aborts.
 *
 * @throws {GatewayError} If the runtime is or becomes unavailable, or cannot be listed at the start.
 * @throws {CallCancelled} When `signal` aborts.
 */
export async function followRuntime(options: FollowOptions): Promise<void> {
  const { runtime, state, images, signal, isFirst, ready, report } = options;
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  // Every pending read adds a listener.
  setMaxListeners(0, both);
  const reader = createNodeReader({ runtime, state, images });
  const failed = (error: unknown): void => {
    if (!both.aborted && !(error instanceof CallCancelled) && !isGone(error)) report(error);
  };
  const chains = createSubjectChains(failed);
  let imagesTimer: NodeJS.Timeout | undefined;
  const imagesChanged = (): void => {
    imagesTimer ??= setTimeout(() => {
      imagesTimer = undefined;
      chains.run("images", () => reader.readImages());
    }, imagesPauseMs);
  };
  try {
    const { name } = await identify(runtime);
    let source = sourceOf(name);
    const subscription = subscribe(source, {
      containerd: createContainerdEvents({
        client: createContainerdClient(runtime),
        state,
        reader,
        chains,
        signal: both,
        imagesChanged,
      }),
      cri: createCriEvents({ state, reader, chains }),
      runtime,
      signal: both,
    });
    const streamEnded = subscription.ended.then(
      () => {
        throw new GatewayError("runtime_unavailable", "The runtime ended its events");
      },
      (error: unknown) => {
        if (!(error instanceof GatewayError) || error.code !== "not_implemented") throw error;
        // This containerd does not serve its own API, or this CRI-O has no pod events.
        source = "lists";
        return new Promise<never>(() => {});
      },
    );
    const lists = (async (): Promise<never> => {
      await reader.readAll({ isFirst });
      await reader.readImages();
      // Readers of events get a snapshot after an outage.
      if (!isFirst) await reader.readStatuses();
      ready(source, reader);
      subscription.begin();
      for (let pauseMs = Math.min(secondListMs, pauseOf(source)); ; pauseMs = pauseOf(source)) {
        await delay(pauseMs, undefined, { signal: both });
        await Promise.all([
          reader.readAll(),
          source === "containerd" ? undefined : reader.readImages(),
        ]).catch((error: unknown) => {
          if (isGone(error)) throw error;
          failed(error);
        });
      }
    })();
    await Promise.race([streamEnded, lists]);
  } catch (error) {
    throw signal.aborted
      ? new CallCancelled("nobody follows the runtime any longer", { cause: error })
      : error;
  } finally {
    ending.abort();
    clearTimeout(imagesTimer);
  }

  function pauseOf(source: EventSourceName): number {
    return options.listEveryMs ?? listEveryMs[source];
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof GatewayError && error.code === "runtime_unavailable";

interface Subscription {
  /** Settles when the events end. */
  readonly ended: Promise<void>;
  /** Passes on the events received so far, and all later ones. */
  begin(): void;
}

interface Takers {
  readonly containerd: (event: ContainerdEvent) => void;
  readonly cri: (event: ContainerEventResponse) => void;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/** Subscribes immediately, and never stops reading. */
function subscribe(source: EventSourceName, { containerd, cri, runtime, signal }: Takers): Subscription {
  switch (source) {
    case "containerd":
      return passing(containerdEvents(runtime, signal), containerd);
    case "cri":
      return passing(criEvents(runtime, signal), cri);
    case "lists":
      return { ended: new Promise(() => {}), begin: () => undefined };
  }
}

function passing<E>(events: AsyncIterable<E>, take: (event: E) => void): Subscription {
  let waiting: E[] | undefined = [];
  const ended = (async () => {
    for await (const event of events) {
      if (waiting === undefined) take(event);
      else if (waiting.length < maxWaiting) waiting.push(event);
    }
  })();
  return {
    ended,
    begin() {
      const come = waiting ?? [];
      waiting = undefined;
      for (const event of come) take(event);
    },
  };
}

async function* containerdEvents(runtime: Runtime, signal: AbortSignal): AsyncGenerator<ContainerdEvent> {
  // The namespace in the call's metadata does not filter events: those of dockerd's would come, too.
  const request = { filters: ["namespace==k8s.io"] };
  for await (const envelope of createContainerdClient(runtime).stream("Events/Subscribe", request, {
    signal,
  })) {
    const event = decodeEvent(envelope);
    if (event !== undefined) yield event;
  }
}

async function* criEvents(runtime: Runtime, signal: AbortSignal): AsyncGenerator<ContainerEventResponse> {
  const rpc = "RuntimeService/GetContainerEvents";
  let cancelled: (() => void) | undefined;
  const cancel = (): void => cancelled?.();
  signal.addEventListener("abort", cancel, { once: true });
  const onCancel = (end: () => void): void => {
    cancelled = end;
    if (signal.aborted) end();
  };
  try {
    for await (const message of runtime.stream(rpc, encodeRequest(rpc, {}), { onCancel, asIs: true }))
      yield decodeReply(rpc, message);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}
