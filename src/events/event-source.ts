/** Where the events of a runtime come from. */

/**
 * `containerd`: containerd's own event service. `cri`: CRI's GetContainerEvents. `lists`: only a comparison of lists,
 * which the other sources do as well, but less often.
 */
export type EventSourceName = "containerd" | "cri" | "lists";

/** Milliseconds between two lists. In addition to events, they find changes that the runtime has no event for. */
export const listEveryMs: { readonly [S in EventSourceName]: number } = {
  containerd: 10_000,
  cri: 2000,
  lists: 1000,
};

/**
 * The best source that a runtime has, by the name from its Version RPC.
 *
 * Never uses containerd's GetContainerEvents: on 2.x, a slow reader blocks RunPodSandbox, and on 1.7, two readers steal
 * events from each other.
 */
export function sourceOf(runtimeName: string): EventSourceName {
  if (runtimeName === "containerd") return "containerd";
  return runtimeName === "cri-o" ? "cri" : "lists";
}
