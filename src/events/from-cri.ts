/**
 * CRI's GetContainerEvents, reported to the state. Each event is a hint to look: CRI-O leaves the statuses of containers
 * out, and replays old events to the first reader.
 */
import type { ContainerEventResponse } from "../gen/messages.ts";
import type { NodeState } from "./node-state.ts";
import type { NodeReader } from "./read-node.ts";
import type { SubjectChains } from "./subject-chains.ts";

export interface CriEventsOptions {
  readonly state: NodeState;
  readonly reader: NodeReader;
  readonly chains: SubjectChains;
}

/** A function that takes each event. It never waits: on CRI-O a reader that stops reading starves the others. */
export function createCriEvents({
  state,
  reader,
  chains,
}: CriEventsOptions): (event: ContainerEventResponse) => void {
  return ({ containerId: id, containerEventType, createdAt, podSandboxStatus }) => {
    const isPod = podSandboxStatus?.id === id || state.hasPod(id);
    const at = BigInt(createdAt);
    chains.run(id, async () => {
      if (containerEventType === "CONTAINER_DELETED_EVENT") {
        if (isPod) state.podRemoved(id, at);
        else state.containerRemoved(id, at);
        return;
      }
      if (!isPod) {
        await reader.lookAtContainer(id);
        return;
      }
      await reader.lookAtPod(id);
      if (containerEventType === "CONTAINER_STOPPED_EVENT") state.podStopped(id, at);
    });
  };
}
