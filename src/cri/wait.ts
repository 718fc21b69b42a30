/** Waits for a container's end by asking, which works on runtimes without events too. */
import { setTimeout as delay } from "node:timers/promises";
import { GatewayError } from "../errors.ts";
import type { ContainerStatus } from "../gen/messages.ts";
import { CallCancelled, type Runtime } from "./channel.ts";
import { request } from "./perform.ts";

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Called once with what to call when nobody waits any longer. */
  readonly onCancel: (cancel: () => void) => void;
}

/** Asked at once, then less and less often: a short command ends soon, a long one costs little. */
const firstPauseMs = 20;
const longestPauseMs = 500;

/**
 * The container's status once it has exited, or the last one when the time has passed before.
 *
 * @throws {GatewayError} `not_found`, also when it is removed meanwhile.
 * @throws {CallCancelled} when nobody waits any longer.
 */
export async function waitForExit(
  runtime: Runtime,
  containerId: string,
  { timeoutMs, onCancel }: WaitOptions,
): Promise<ContainerStatus> {
  const left = new AbortController();
  onCancel(() => left.abort());
  const end = performance.now() + timeoutMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const { status } = await request(runtime, "RuntimeService/ContainerStatus", { containerId }, {});
    if (!status)
      throw new GatewayError("not_found", `Cannot find container "${containerId}": the runtime has none`);
    const restMs = end - performance.now();
    if (status.state === "CONTAINER_EXITED" || restMs <= 0) return status;
    await delay(Math.min(pauseMs, restMs), undefined, { signal: left.signal }).catch((error: unknown) => {
      throw new CallCancelled("nobody waits any longer", { cause: error });
    });
  }
}
