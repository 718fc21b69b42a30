/** Where the events of a runtime come from. */

/**
 * `containerd`: containerd's own event service. `cri`: CRI's GetContainerEvents. `lists`: only the difference of lists,
 * which the others read too, less often.
 */
export type EventSourceName = "containerd" | "cri" | "lists";

/** Milliseconds between two lists. Those beside events find what the runtime has no event for. */
export const listEveryMs: { readonly [S in EventSourceName]: number } = {
  containerd: 10_000,
  cri: 2000,
  lists: 1000,
};

/**
 * The best source that a runtime has, by the name from its Version RPC.
 *
 * containerd's GetContainerEvents is never used: a slow reader blocks RunPodSandbox on 2.x, and two readers steal events
 * from each other on 1.7.
 */
export function sourceOf(runtimeName: string): EventSourceName {
  if (runtimeName === "containerd") return "containerd";
  return runtimeName === "cri-o" ? "cri" : "lists";
}
