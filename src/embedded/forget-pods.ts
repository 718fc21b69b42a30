/**
 * Removes containerd's records of pods and containers that its CRI cannot remove, such as a pod whose network the CNI
 * plug-in does not tear down. Only for a containerd of our own, and after the sweep has removed what the records are of.
 */

import { run } from "./command.ts";

/** containerd's CRI knows what it lists until it is started again. @throws {CommandError} when a record stays. */
export async function forgetPods(socket: string): Promise<void> {
  const ctr = ["ctr", "--address", socket, "--namespace", "k8s.io", "containers"];
  const listed = await run([...ctr, "ls", "--quiet"]);
  const ids = listed.split("\n").filter((line) => line !== "");
  if (ids.length > 0) await run([...ctr, "delete", ...ids]);
}
