/** Removes every pod of a runtime: what a private one does before it ends. */
import { connect } from "./channel.ts";
import { invoke } from "./invoke.ts";
import { withPodCgroups } from "./pod-cgroup.ts";

/** Pods at once: their network teardown takes most of the time. */
const width = 8;

/** @throws {GatewayError} when one could not be removed; the others are tried all the same. */
export async function removeAllPods(socket: string): Promise<void> {
  const connection = connect({ runtimeEndpoint: socket });
  const runtime = withPodCgroups(connection);
  try {
    const { items } = await invoke(runtime, "RuntimeService/ListPodSandbox", {});
    const waiting = items.map(({ id }) => id);
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
        try {
          await invoke(runtime, "RuntimeService/StopPodSandbox", { podSandboxId: id });
          await invoke(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId: id });
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: width }, worker));
    if (failures.length > 0) throw failures[0];
  } finally {
    connection.close();
  }
}
