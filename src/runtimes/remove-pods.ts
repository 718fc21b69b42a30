/** Removes all pods of a runtime, as a private one does before it shuts down. */

import { call } from "../cri/call.ts";
import { connect } from "../cri/channel.ts";
import { removePodCgroup } from "./pod-cgroup.ts";

/** Pods at once: most of the time goes into their network teardown. */
const width = 8;

/** @throws {GatewayError} When a pod could not be removed, after trying all others. */
export async function removeAllPods(socket: string): Promise<void> {
  const runtime = connect({ runtimeEndpoint: socket });
  try {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {});
    const waiting = [...items];
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let pod = waiting.pop(); pod !== undefined; pod = waiting.pop()) {
        try {
          const podSandboxId = pod.id;
          await call(runtime, "RuntimeService/StopPodSandbox", { podSandboxId });
          await call(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId });
          await removePodCgroup(pod.metadata?.uid ?? "");
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: width }, worker));
    if (failures.length > 0) throw failures[0];
  } finally {
    runtime.close();
  }
}
