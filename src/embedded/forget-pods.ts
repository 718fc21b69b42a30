/**
 * Removes containerd's records of pods and containers that its CRI cannot remove, such as a pod whose network the CNI
 * plugin cannot tear down. Only for our own containerd, and only after the sweep has removed the pods themselves.
 */

import { run } from "./command.ts";
import type { ContainerdVersion } from "./containerd-config.ts";

/** The CRI keeps listing them until containerd restarts. @throws {Error} if a record remains. */
export async function forgetPods(socket: string, [major]: ContainerdVersion): Promise<void> {
  const ctr = ["ctr", "--address", socket, "--namespace", "k8s.io"];
  if (major >= 2) await forgetSandboxes(ctr);
  const ids = linesOf(await run([...ctr, "containers", "ls", "--quiet"]));
  if (ids.length > 0) await run([...ctr, "containers", "delete", ...ids]);
}

/** containerd 2.x records a pod as a sandbox too, and restores it from that record. */
async function forgetSandboxes(ctr: readonly string[]): Promise<void> {
  const list = async (): Promise<readonly string[]> => {
    const [, ...rows] = linesOf(await run([...ctr, "sandboxes", "ls"]));
    return rows.map((row) => row.split(" ", 1).join());
  };
  const ids = await list();
  if (ids.length === 0) return;
  // By force, because their processes are gone already. It exits with 0 even if it removes nothing.
  await run([...ctr, "sandboxes", "rm", "--force", ...ids]);
  const left = await list();
  if (left.length > 0) throw new Error(`Cannot remove containerd's records of the pods ${left.join(", ")}`);
}

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
