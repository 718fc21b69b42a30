/**
 * containerd's own event service: every subscriber gets every event from now on, through a queue of its own without a
 * limit. Unlike CRI's events, it has pods, commands, memory, images and removals on all versions.
 */
import { status } from "@grpc/grpc-js";
import { type ContainerdAnswer, packAny } from "./containerd-services.ts";
import { GrpcFault } from "./fault.ts";
import { nowNanos, type State } from "./state.ts";

/** The message of each topic that the fake sends. */
const messages = {
  "/containers/create": "ContainerCreate",
  "/containers/delete": "ContainerDelete",
  "/tasks/create": "TaskCreate",
  "/tasks/start": "TaskStart",
  "/tasks/exit": "TaskExit",
  "/tasks/delete": "TaskDelete",
  "/tasks/oom": "TaskOOM",
  "/tasks/exec-started": "TaskExecStarted",
  "/images/create": "ImageCreate",
  "/images/update": "ImageUpdate",
  "/images/delete": "ImageDelete",
} as const;

export type FakeTopic = keyof typeof messages;

export interface ContainerdEventHub {
  publish(topic: FakeTopic, draft: object, namespace?: string): void;
  /** Answers Events/Subscribe. */
  readonly subscribe: ContainerdAnswer;
  /** How many read events. */
  readonly subscribers: number;
}

export function createContainerdEventHub(): ContainerdEventHub {
  const readers = new Set<(envelope: object) => void>();
  return {
    publish(topic, draft, namespace = "k8s.io") {
      const event = packAny(`containerd.events.${messages[topic]}`, draft);
      const envelope = { timestamp: timestampOf(nowNanos()), namespace, topic, event };
      for (const give of readers) give(envelope);
    },
    get subscribers() {
      return readers.size;
    },
    async *subscribe({ filters }, { signal }) {
      const own = Array.isArray(filters) && filters.includes("namespace==k8s.io");
      const queue: object[] = [];
      let wake: () => void = () => undefined;
      const give = (envelope: object) => {
        if (own && "namespace" in envelope && envelope.namespace !== "k8s.io") return;
        queue.push(envelope);
        wake();
      };
      readers.add(give);
      signal.addEventListener("abort", () => wake());
      try {
        while (!signal.aborted) {
          const next = queue.shift();
          if (next !== undefined) yield next;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        readers.delete(give);
      }
    },
  };
}

export const timestampOf = (nanos: bigint): object => ({
  seconds: nanos / 1_000_000_000n,
  nanos: Number(nanos % 1_000_000_000n),
});

/** Answers Containers/Get. */
export const containerRecord =
  ({ pods, containers }: State): ContainerdAnswer =>
  ({ id }) => {
    const kind = pods.has(String(id)) ? "sandbox" : containers.has(String(id)) ? "container" : undefined;
    if (kind === undefined)
      throw new GrpcFault(status.NOT_FOUND, `container "${String(id)}" in namespace "k8s.io": not found`);
    return { container: { id, labels: { "io.cri-containerd.kind": kind } } };
  };
