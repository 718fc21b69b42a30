/**
 * Reports containerd's own events to the state.
 *
 * CRI lags behind these events. After `/containers/create`, it does not know a container for some milliseconds, and a
 * pod until its network is set up. After `/tasks/exit`, it reports the container as running for up to 80 ms.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ContainerdClient } from "../containerd/client.ts";
import type { ContainerdEvent } from "../containerd/events.ts";
import { nanosOf } from "../containerd/timestamp.ts";
import { GatewayError } from "../errors.ts";
import type { NodeState } from "./node-state.ts";
import { exitIn, type NodeReader } from "./read-node.ts";
import type { SubjectChains } from "./subject-chains.ts";

export interface ContainerdEventsOptions {
  readonly client: ContainerdClient;
  readonly state: NodeState;
  readonly reader: NodeReader;
  readonly chains: SubjectChains;
  readonly signal: AbortSignal;
  /** Called when the images may have changed. */
  readonly imagesChanged: () => void;
}

/** CRI's label on containerd's records. */
const kindLabel = "io.cri-containerd.kind";

const firstPauseMs = 5;
const maxPauseMs = 250;
/** How long CRI may lag behind containerd's events. A pod's network may be slow to set up. */
const podLimitMs = 120_000;
const containerLimitMs = 10_000;
const exitLimitMs = 3000;

/** Returns a function that handles an event. It never waits, so that events are read as fast as they arrive. */
export function createContainerdEvents({
  client,
  state,
  reader,
  chains,
  signal,
  imagesChanged,
}: ContainerdEventsOptions): (event: ContainerdEvent) => void {
  /** Ids that were deleted while earlier steps for them still wait for CRI. */
  const deleted = new Set<string>();

  /** Repeats `ask` until it returns true, the subject is deleted, or the time is up. */
  async function until(id: string, limitMs: number, ask: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + limitMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      if (signal.aborted || (await ask()) || deleted.has(id) || performance.now() >= end) return;
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async function kindOf(id: string): Promise<string | undefined> {
    try {
      const { container } = await client.call("Containers/Get", { id }, { signal });
      return container?.labels[kindLabel];
    } catch (error) {
      if (error instanceof GatewayError && error.code === "not_found") return undefined;
      throw error;
    }
  }

  async function created(id: string): Promise<void> {
    if (state.hasPod(id) || state.hasContainer(id)) return;
    const kind = await kindOf(id);
    if (kind === "sandbox") await until(id, podLimitMs, () => reader.lookAtPod(id));
    if (kind === "container") await until(id, containerLimitMs, () => reader.lookAtContainer(id));
  }

  async function ready(id: string): Promise<void> {
    await until(id, podLimitMs, async () => {
      await reader.lookAtPod(id);
      return state.podPhaseOf(id) !== "created";
    });
  }

  /** Waits until CRI reports the exit, too, and adds its reason. */
  async function explained(id: string): Promise<void> {
    await until(id, exitLimitMs, async () => {
      const status = await reader.statusOf(id);
      const exit = status && exitIn(status);
      if (exit === undefined) return status === undefined;
      state.containerExited(id, exit);
      return true;
    });
  }

  function ended(id: string, code: number, at: bigint): void {
    if (state.hasPod(id)) state.podStopped(id, at);
    if (!state.hasContainer(id)) return;
    state.containerExited(id, { code, at });
    chains.run(`exit ${id}`, () => explained(id));
  }

  return ({ topic, event, timeNanos }) => {
    switch (topic) {
      case "/containers/create":
        return chains.run(event.id, () => created(event.id));
      case "/containers/delete":
        deleted.add(event.id);
        return chains.run(event.id, () => {
          deleted.delete(event.id);
          if (state.hasPod(event.id)) state.podRemoved(event.id, timeNanos);
          else state.containerRemoved(event.id, timeNanos);
        });
      case "/tasks/start": {
        const id = event.containerId;
        return chains.run(id, () => (state.hasPod(id) ? ready(id) : state.containerStarted(id, timeNanos)));
      }
      case "/tasks/exit": {
        const { containerId, exitStatus, id: process } = event;
        const exitedAt = nanosOf(event.exitedAt);
        const at = exitedAt > 0n ? exitedAt : timeNanos;
        return chains.run(containerId, () => {
          if (process === "" || process === containerId) ended(containerId, exitStatus, at);
          else state.containerExec(containerId, { execId: process, exitCode: exitStatus }, at);
        });
      }
      case "/tasks/oom":
        return chains.run(event.containerId, () => state.containerOom(event.containerId, timeNanos));
      case "/tasks/exec-started":
        return chains.run(event.containerId, () =>
          state.containerExec(event.containerId, { execId: event.execId }, timeNanos),
        );
      case "/images/create":
      case "/images/update":
      case "/images/delete":
        return imagesChanged();
      default:
        return undefined;
    }
  };
}
