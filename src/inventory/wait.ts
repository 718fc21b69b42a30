/** Follows the state of a container by polling, which also works on runtimes without events. */
import { setTimeout as delay } from "node:timers/promises";
import { call } from "../cri/call.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerStatus } from "../gen/messages.ts";

export interface WatchOptions {
  /** Longest time to follow it, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts when nobody is following any longer. */
  readonly signal: AbortSignal;
}

/** Polls immediately, then less and less often: a short command ends soon, a long one costs little. */
const firstPauseMs = 20;
const longestPauseMs = 500;

/**
 * Yields the container's status now and after each change of state, until it has exited or the time is up.
 *
 * @throws {GatewayError} `not_found`: immediately if it does not exist, from the iteration if it is removed meanwhile.
 * @throws {CallCancelled} From the iteration, when `signal` aborts.
 */
export async function watchState(
  runtime: Runtime,
  containerId: string,
  { timeoutMs, signal }: WatchOptions,
): Promise<AsyncIterable<ContainerStatus>> {
  const end = performance.now() + timeoutMs;
  const first = await statusOf(runtime, containerId);
  return (async function* () {
    yield first;
    let status = first;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const restMs = end - performance.now();
      if (status.state === "CONTAINER_EXITED" || restMs <= 0) return;
      await delay(Math.min(pauseMs, restMs), undefined, { signal }).catch((error: unknown) => {
        throw new CallCancelled("no client is waiting any more", { cause: error });
      });
      const next = await statusOf(runtime, containerId);
      if (next.state !== status.state) yield next;
      status = next;
    }
  })();
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
