/**
 * Stops containers in an order and with a grace of our own before the runtime stops them on the way to something else.
 *
 * CRI gives no grace to the containers of a pod that is stopped, and none to what is removed. CRI-O takes the caller's
 * deadline for it instead: a container that ignores SIGTERM would keep the request for two minutes, and the stats of
 * the whole node with it.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { deadlineOf, rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { isRuntime } from "./identity.ts";
import { subjectOf } from "./subject.ts";

/** A request that stops containers, and the grace that they get first; 0, the default, kills at once. */
export interface Stopping {
  readonly request: Uint8Array;
  readonly graceSeconds: number | undefined;
}

/**
 * Stops what `rpc` would stop, where the request gives a grace or where the runtime would take one of its own.
 *
 * @throws {GatewayError} when a container of a pod that shall be stopped could not be stopped. A removal goes on.
 */
export async function stopFirst(
  runtime: Runtime,
  rpc: Rpc,
  { request, graceSeconds = 0 }: Stopping,
  options: CallOptions,
): Promise<void> {
  const { stopsContainers } = rpcRules[rpc];
  if (stopsContainers === undefined) return;
  if (graceSeconds === 0 && !(await isRuntime(runtime, "cri-o").catch(() => false))) return;
  const { containerId, podSandboxId } = subjectOf(rpc, request);
  try {
    const ids = containerId ? [containerId] : await runningIn(runtime, podSandboxId ?? "", options);
    await Promise.all(ids.map((id) => stop(runtime, id, graceSeconds, options)));
  } catch (error) {
    if (!(error instanceof GatewayError) || stopsContainers === "must") throw error;
  }
}

async function runningIn(
  runtime: Runtime,
  podSandboxId: string,
  options: CallOptions,
): Promise<readonly string[]> {
  const filter = { podSandboxId, state: { state: "CONTAINER_RUNNING" as const } };
  const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter }, options);
  return containers.map(({ id }) => id);
}

async function stop(
  runtime: Runtime,
  containerId: string,
  graceSeconds: number,
  options: CallOptions,
): Promise<void> {
  const request = { containerId, timeout: String(graceSeconds) };
  const deadlineMs = deadlineOf("RuntimeService/StopContainer", request);
  try {
    await call(runtime, "RuntimeService/StopContainer", request, { ...options, deadlineMs });
  } catch (error) {
    // It has ended and was removed meanwhile.
    if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
  }
}
