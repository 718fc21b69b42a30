/**
 * Stops containers in our own order and with our own grace period, before the runtime stops them as part of another
 * call.
 *
 * CRI defines no grace period for stopping a pod's containers, or for removals. CRI-O uses the caller's deadline
 * instead: a container that ignores SIGTERM would block the request for two minutes, and the stats of the whole node
 * with it.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { deadlineOf, rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { isRuntime } from "./identity.ts";
import { subjectOf } from "./subject.ts";

/** A request that stops containers, and their grace period; 0, the default, kills them immediately. */
export interface Stopping {
  readonly request: Uint8Array;
  readonly graceSeconds: number | undefined;
}

/**
 * Stops what `rpc` would stop, if the request has a grace period or the runtime would apply its own.
 *
 * @throws {GatewayError} When a container of a pod to be stopped could not be stopped. A removal continues.
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
    // It has exited and was removed meanwhile.
    if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
  }
}
