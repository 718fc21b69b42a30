/** Removes every pod of a runtime: what a private one does before it ends. */

import { call } from "../cri/call.ts";
import { connect } from "../cri/channel.ts";
import { removePodCgroup } from "./pod-cgroup.ts";

/** Pods at once: their network teardown takes most of the time. */
const width = 8;

/** @throws {GatewayError} when one could not be removed; the others are tried all the same. */
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
