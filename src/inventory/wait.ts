/**
 * Follows the state of a container by its status. Reads it after events if the runtime has any, and otherwise polls.
 */
import { call } from "../cri/call.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerStatus } from "../gen/messages.ts";
import type { Change, NodeChanges } from "./changes.ts";

export interface WatchOptions {
  /** Longest time to follow it, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts when nobody is following any longer. */
  readonly signal: AbortSignal;
  /** Reports changes of containers. Absent: the container is polled. */
  readonly events?: NodeChanges | undefined;
}

/** Polls immediately, then less and less often: a short command ends soon, a long one costs little. */
const firstPauseMs = 20;
const longestPauseMs = 500;
/** With events, polling only compensates for missed events, and for CRI's lag behind them. */
const longestPauseWithEventsMs = 10_000;
/**
 * After a restart, containerd says 255 and `Unknown` for a container that ended meanwhile. The true code comes with an
 * event, about 2 s later.
 */
const trueCodeMs = 5000;

/**
 * Yields the container's status now and after each change of state, until it has exited or the time is up.
 *
 * @throws {GatewayError} `not_found`: immediately if it does not exist, from the iteration if it is removed meanwhile.
 * @throws {CallCancelled} From the iteration, when `signal` aborts.
 */
export async function watchState(
  runtime: Runtime,
  containerId: string,
  { timeoutMs, signal, events }: WatchOptions,
): Promise<AsyncIterable<ContainerStatus>> {
  const end = performance.now() + timeoutMs;
  const first = await statusOf(runtime, containerId);
  return (async function* () {
    yield first;
    if (first.state === "CONTAINER_EXITED" || timeoutMs <= 0) return;
    const changes = createChanges(signal);
    try {
      const hasEvents =
        (await events?.onChange({
          of: { containerId },
          insteadOfMs: longestPauseMs,
          changed: changes.note,
          signal: changes.signal,
        })) ?? false;
      const longest = hasEvents ? longestPauseWithEventsMs : longestPauseMs;
      let status = first;
      let unknownSince: number | undefined;
      // With events, read it once more for changes since the first status. An event may have come just before that, and CRI
      // lag behind it, so the next looks follow soon.
      let pauseMs = hasEvents ? 0 : firstPauseMs;
      for (; ; pauseMs = pauseMs === 0 ? firstPauseMs : Math.min(pauseMs * 2, longest)) {
        const restMs = end - performance.now();
        if (restMs <= 0) return;
        const hasChanged = await changes.within(Math.min(pauseMs, restMs));
        // CRI may lag behind the event, so polling begins again in short steps.
        if (hasChanged && (pauseMs > 0 || changes.exitCode !== undefined)) pauseMs = firstPauseMs / 2;
        const next = await statusOf(runtime, containerId);
        if (next.state === "CONTAINER_EXITED") {
          const isLost = next.exitCode === 255 && next.reason === "Unknown";
          if (isLost && changes.exitCode !== undefined) {
            yield {
              ...next,
              exitCode: changes.exitCode,
              reason: changes.exitCode === 0 ? "Completed" : "Error",
            };
            return;
          }
          if (unknownSince === undefined) {
            unknownSince = performance.now();
            pauseMs = firstPauseMs;
          }
          if (!isLost || !hasEvents || performance.now() - unknownSince > trueCodeMs) {
            yield next;
            return;
          }
          continue;
        }
        if (next.state !== status.state) yield next;
        status = next;
      }
    } finally {
      changes.end();
    }
  })();
}

interface Changes {
  readonly note: (change: Change) => void;
  /** Of the latest exit that was reported. */
  readonly exitCode: number | undefined;
  /** Aborts when the following ends. */
  readonly signal: AbortSignal;
  /** Waits for a change, for at most `ms`. @throws {CallCancelled} When nobody follows any longer. */
  within(ms: number): Promise<boolean>;
  end(): void;
}

function createChanges(outer: AbortSignal): Changes {
  const ending = new AbortController();
  let exitCode: number | undefined;
  let hasChanged = false;
  let wake = (): void => undefined;
  const left = (): void => {
    ending.abort();
    wake();
  };
  if (outer.aborted) left();
  else outer.addEventListener("abort", left, { once: true });
  return {
    signal: ending.signal,
    get exitCode() {
      return exitCode;
    },
    note({ event }) {
      exitCode = event?.exitCode ?? exitCode;
      hasChanged = true;
      wake();
    },
    async within(ms) {
      if (!hasChanged && !ending.signal.aborted)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      if (outer.aborted) throw new CallCancelled("no client is waiting any more");
      const changed = hasChanged;
      hasChanged = false;
      return changed;
    },
    end() {
      outer.removeEventListener("abort", left);
      left();
    },
  };
}

async function statusOf(runtime: Runtime, containerId: string): Promise<ContainerStatus> {
  const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, {});
  if (!status)
    throw new GatewayError(
      "not_found",
      `Cannot find container "${containerId}": the runtime has no container with this id`,
    );
  return status;
}
