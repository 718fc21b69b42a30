/**
 * Stops containers in an order and with a grace of our own before the runtime stops them on the way to something else.
 *
 * CRI gives no grace to the containers of a pod that is stopped, and none to what is removed. CRI-O takes the caller's
 * deadline for it instead: a container that ignores SIGTERM would keep the request for two minutes, and the stats of
 * the whole node with it.
 */
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { isRuntime } from "./identity.ts";
import { invoke } from "./invoke.ts";
import { deadlineOf } from "./methods.ts";

/** What is stopped or removed. `timeout` is in seconds; default 0, which kills at once. */
export type Stopped = Input<{ containerId: string; podSandboxId: string; timeout: string | number }>;

/** The RPCs that stop containers without a grace in the request. */
const stopping: ReadonlySet<Rpc> = new Set([
  "RuntimeService/StopPodSandbox",
  "RuntimeService/RemovePodSandbox",
  "RuntimeService/RemoveContainer",
]);

/**
 * Stops what `rpc` would stop, where the request gives a grace or where the runtime would take one of its own.
 *
 * @throws {GatewayError} when a container of a pod that shall be stopped could not be stopped. A removal goes on.
 */
export async function stopFirst(
  runtime: Runtime,
  rpc: Rpc,
  { containerId, podSandboxId, timeout = 0 }: Stopped,
  options: CallOptions,
): Promise<void> {
  if (!stopping.has(rpc)) return;
  if (Number(timeout) === 0 && !(await isRuntime(runtime, "cri-o").catch(() => false))) return;
  try {
    const ids = containerId ? [containerId] : await runningIn(runtime, podSandboxId ?? "", options);
    await Promise.all(ids.map((id) => stop(runtime, id, timeout, options)));
  } catch (error) {
    if (!(error instanceof GatewayError) || rpc === "RuntimeService/StopPodSandbox") throw error;
  }
}

async function runningIn(
  runtime: Runtime,
  podSandboxId: string,
  options: CallOptions,
): Promise<readonly string[]> {
  const filter = { podSandboxId, state: { state: "CONTAINER_RUNNING" as const } };
  const { containers } = await invoke(runtime, "RuntimeService/ListContainers", { filter }, options);
  return containers.map(({ id }) => id);
}

async function stop(
  runtime: Runtime,
  containerId: string,
  timeout: string | number,
  options: CallOptions,
): Promise<void> {
  const request = { containerId, timeout: String(timeout) };
  const deadlineMs = deadlineOf("RuntimeService/StopContainer", request);
  try {
    await invoke(runtime, "RuntimeService/StopContainer", request, { ...options, deadlineMs });
  } catch (error) {
    // It has ended and was removed meanwhile.
    if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
  }
}
