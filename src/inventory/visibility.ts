/** Which pods and containers a caller sees, if it may not see all. */
import type { Inventory, Kind, PodFacts } from "./inventory.ts";

export interface Visibility {
  /** Those of `ids` that it sees. What no longer exists is not seen. @throws {GatewayError} */
  among(kind: Kind, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Whether it sees a pod with these facts. */
  readonly sees: (pod: SeenPod) => boolean;
  /** Whether it sees a pod, or saw one that no longer exists and of which only `remains` is known. @throws {GatewayError} */
  seesPod(id: string, remains: SeenPod): Promise<boolean>;
}

/** What decides whether a pod is seen. */
export type SeenPod = Pick<PodFacts, "namespace" | "name" | "labels">;

/** `sees` must always answer the same for a pod. `inventory`: of all pods. */
export function createVisibility(inventory: Inventory, sees: Visibility["sees"]): Visibility {
  return {
    sees,
    seesPod: async (id, remains) => sees((await inventory.podsOf("pod", [id])).get(id) ?? remains),
    async among(kind, ids) {
      const pods = await inventory.podsOf(kind, ids);
      return new Set(
        ids.filter((id) => {
          const pod = pods.get(id);
          return pod !== undefined && sees(pod);
        }),
      );
    },
  };
}
