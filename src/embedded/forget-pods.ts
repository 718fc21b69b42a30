/**
 * Removes containerd's records of pods and containers that its CRI cannot remove, such as a pod whose network the CNI
 * plugin cannot tear down. Only for our own containerd, and only after the sweep has removed the pods themselves.
 */

import { run } from "./command.ts";

/** The CRI keeps listing them until containerd restarts. @throws {CommandError} if a record remains. */
export async function forgetPods(socket: string): Promise<void> {
  const ctr = ["ctr", "--address", socket, "--namespace", "k8s.io", "containers"];
  const listed = await run([...ctr, "ls", "--quiet"]);
  const ids = listed.split("\n").filter((line) => line !== "");
  if (ids.length > 0) await run([...ctr, "delete", ...ids]);
}
