/**
 * Says when a follower of logs should list its containers again: after each event that concerns one of them, and then
 * until CRI agrees with the event, because it lags behind. Without events, once a second.
 *
 * Only the list says that a container has ended: an event reports the exit before the last lines are in the log.
 */
import type { Change, ChangeEvent, NodeChanges } from "../inventory/changes.ts";
import { isSelected, type LogOwner, type Selection } from "./log-selection.ts";

/** What a list says of the containers that a follower has chosen. */
export interface Listed {
  readonly containers: readonly (LogOwner & { readonly isEnded: boolean })[];
  /** Whether no other container can join. */
  readonly isComplete: boolean;
}

export interface ContainerWatch {
  /**
   * Settles when it is time to list again, or when the watch ends.
   *
   * @param listed What was found; undefined if that failed.
   */
  due(listed: Listed | undefined): Promise<void>;
}

/** Between two lists without events, and after one that failed. In milliseconds, as all of these. */
const pollMs = 1000;
/** Between two lists with events, in case one never came. */
const safetyMs = 20_000;
/** Events come in bursts, and each list takes time. */
const gatherMs = 20;
const minPauseMs = 100;
/** Between lists that do not yet show what an event reported, at most, and for how long. */
const maxPauseMs = 250;
const maxLagMs = 3000;

/** What an event leads to: whether a list shows it. */
type Expected = (listed: Listed) => boolean;

/** Watches the containers of `selection` from now on, until `signal` aborts. */
export function watchContainers(
  changes: NodeChanges,
  selection: Selection,
  signal: AbortSignal,
): ContainerWatch {
  /** By the id of the container or pod. */
  const expected = new Map<string, { readonly isShown: Expected; readonly untilMs: number }>();
  let isFollowed = false;
  let hasNews = false;
  let pauseMs = gatherMs;
  let wake = (): void => undefined;

  function changed(change: Change): void {
    isFollowed = change.isFollowed;
    const { event } = change;
    if (event !== undefined) {
      const isShown = expectedOf(event, selection);
      if (isShown === undefined) return;
      const id = event.containerId ?? event.podSandboxId ?? "";
      expected.set(id, { isShown, untilMs: performance.now() + maxLagMs });
      pauseMs = gatherMs;
    }
    hasNews = true;
    wake();
  }

  /** Waits, but with `isAlert` only for news. */
  async function pause(ms: number, isAlert: boolean): Promise<void> {
    if (signal.aborted || (isAlert && hasNews)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      const end = (): void => {
        clearTimeout(timer);
        resolve();
      };
      wake = () => {
        if (isAlert || signal.aborted) end();
      };
    });
  }

  signal.addEventListener("abort", () => wake(), { once: true });
  const { containerId, podSandboxId } = selection;
  void changes.onChange({ of: { containerId, podSandboxId }, insteadOfMs: pollMs, changed, signal });

  return {
    async due(listed) {
      const listedAtMs = performance.now();
      for (const [id, { isShown, untilMs }] of expected)
        if ((listed !== undefined && isShown(listed)) || listedAtMs > untilMs) expected.delete(id);
      const isReachable = listed !== undefined && isFollowed;
      await pause(isReachable ? (expected.size > 0 ? pauseMs : safetyMs) : pollMs, true);
      pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      if (!hasNews) return;
      const restMs = listedAtMs + (listed === undefined ? pollMs : minPauseMs) - performance.now();
      await pause(Math.max(gatherMs, restMs), false);
      hasNews = false;
    },
  };
}

/** Undefined for an event that changes nothing for those who follow logs. */
function expectedOf(event: ChangeEvent, selection: Selection): Expected | undefined {
  const { type, containerId: id, podSandboxId = "", pod, namespace, labels = {} } = event;
  if (id === undefined) {
    const isEnd = type === "pod.stopped" || type === "pod.removed";
    return isEnd && podSandboxId === selection.podSandboxId ? ({ isComplete }) => isComplete : undefined;
  }
  // Nothing is known of its pod: the list will tell.
  if (pod === undefined || namespace === undefined) return () => true;
  if (!isSelected({ id, podSandboxId, pod, namespace, labels }, selection)) return undefined;
  switch (type) {
    case "container.created":
    case "container.started":
      return ({ containers }) => containers.some((one) => one.id === id);
    case "container.exited":
    case "container.removed":
      return ({ containers }) => containers.every((one) => one.id !== id || one.isEnded);
    default:
      return undefined;
  }
}
