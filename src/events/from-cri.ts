/**
 * Reports CRI's GetContainerEvents to the state. Each event only triggers a read, because CRI-O omits the statuses of
 * containers and replays old events to the first reader.
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

/** Returns a function that handles an event. It never waits: on CRI-O, a reader that stops reading starves others. */
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
