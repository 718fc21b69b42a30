/** Which pods and containers a caller sees, if it may not see all. */
import type { Inventory, Kind, PodFacts } from "./inventory.ts";
import { tellingNoIds } from "./without-ids.ts";

export interface Visibility {
  /** Those of `ids` that it sees. @throws {GatewayError} */
  among(kind: Kind, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Those of `ids` that exist and that it does not see. @throws {GatewayError} */
  hidden(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Whether it sees a pod with these facts. */
  readonly sees: (pod: SeenPod) => boolean;
}

/** What decides whether a pod is seen. */
export type SeenPod = Pick<PodFacts, "namespace" | "name" | "labels">;

export interface VisibilityOptions {
  /** Of all pods. */
  readonly inventory: Pick<Inventory, "podsOf">;
  /** What is known of pods that have been removed. */
  readonly removed: { podOf(kind: Kind, id: string): SeenPod | undefined };
  /** Must always answer the same for a pod. */
  readonly sees: Visibility["sees"];
}

export function createVisibility({ inventory, removed, sees }: VisibilityOptions): Visibility {
  const podsOf = (kind: Kind, ids: readonly string[]) => tellingNoIds(inventory.podsOf(kind, ids));
  return {
    sees,
    async among(kind, ids) {
      const pods = await podsOf(kind, ids);
      return new Set(
        ids.filter((id) => {
          const pod = pods.get(id) ?? removed.podOf(kind, id);
          return pod !== undefined && sees(pod);
        }),
      );
    },
    async hidden(ids) {
      if (ids.length === 0) return new Set();
      const found = await Promise.all([podsOf("pod", ids), podsOf("container", ids)]);
      return new Set(found.flatMap((pods) => [...pods].flatMap(([id, pod]) => (sees(pod) ? [] : [id]))));
    },
  };
}
