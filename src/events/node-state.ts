/**
 * The known state of the node, and the events that follow from changes to it.
 *
 * Every source reports what it has seen: an event of the runtime, a status, or a list. A pod or container only moves
 * forward (created, ready or running, stopped or exited, removed), and each step emits one event. Sources may report a
 * step twice, late, or not at all. The sequence is the same on all runtimes.
 */
import { type EventDraft, type SnapshotEvent, timeOf } from "./node-event.ts";
import { signalOf } from "./signal-names.ts";

/** The immutable facts about a pod. */
export interface PodFacts {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: { readonly [key: string]: string };
  readonly createdAt: bigint;
}

/** The immutable facts about a container. */
export interface ContainerFacts {
  readonly id: string;
  readonly podId: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly labels: { readonly [key: string]: string };
  readonly createdAt: bigint;
}

/** How a process ended. */
export interface Exit {
  readonly code: number;
  /** Nanoseconds since 1970. */
  readonly at: bigint;
  /** The runtime's reason; absent until it gives one. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

interface Pod {
  readonly facts: PodFacts;
  phase: "created" | "ready" | "stopped";
  since: bigint;
  /** The value of `clock` at the last report about it. */
  touched: number;
}

interface Container {
  readonly facts: ContainerFacts;
  phase: "created" | "running" | "exited";
  since: bigint;
  touched: number;
  oom: boolean;
  exit: (Exit & { readonly reason: string }) | undefined;
  /** Id of the event that reported the exit. */
  exitId: string | undefined;
}

export interface NodeState {
  /** Counts reports, so that a list does not undo what was reported after it was requested. */
  readonly clock: number;
  hasPod(id: string): boolean;
  hasContainer(id: string): boolean;
  /** Whether a pod or container with this id was removed recently. */
  wasRemoved(id: string): boolean;
  /** Pods and containers without a report after `clock`. */
  untouchedSince(clock: number): { readonly pods: readonly string[]; readonly containers: readonly string[] };
  /** Ids of containers from `containerFound` that still need `containerExplained`. */
  readonly unexplained: readonly string[];
  phaseOf(containerId: string): Container["phase"] | undefined;
  podPhaseOf(podId: string): Pod["phase"] | undefined;

  podCreated(facts: PodFacts): void;
  podReady(id: string, at?: bigint): void;
  podStopped(id: string, at?: bigint): void;
  /** Also removes its containers. */
  podRemoved(id: string, at?: bigint): void;
  containerCreated(facts: ContainerFacts): void;
  containerStarted(id: string, at?: bigint): void;
  /** Reports a container that was already running or exited when the events began. Emits no event. */
  containerFound(id: string, phase: "running" | "exited"): void;
  /** Completes a report of `containerFound`. Emits an event only if the container has exited since. */
  containerExplained(id: string, startedAt: bigint, exit: Exit | undefined): void;
  /**
   * Amends a known exit if `exit` has another reason or message. The known code stays, unless it came from a runtime
   * that had missed the exit (`255`, `Unknown`).
   */
  containerExited(id: string, exit: Exit): void;
  containerOom(id: string, at?: bigint): void;
  /** `exitCode`: absent when the exec starts. */
  containerExec(id: string, exec: { execId: string; exitCode?: number }, at?: bigint): void;
  containerRemoved(id: string, at?: bigint): void;

  /** Returns the existing pods and containers, each with its latest step. */
  snapshot(): readonly SnapshotEvent[];
}

/** How long removed ids are remembered, so that a list that was requested earlier does not revive them. */
const removedMs = 60_000;
const maxRemoved = 10_000;

/** `emit` adds an event to the sequence and returns its id. */
export function createNodeState(emit: (draft: EventDraft) => string): NodeState {
  const pods = new Map<string, Pod>();
  const containers = new Map<string, Container>();
  const removed = new Map<string, number>();
  const unexplained = new Set<string>();
  let clock = 0;

  const podPart = (facts: PodFacts | undefined) =>
    facts === undefined
      ? {}
      : { namespace: facts.namespace, pod: facts.name, podSandboxId: facts.id, labels: facts.labels };

  function partOf(facts: ContainerFacts): Omit<EventDraft, "type" | "time"> {
    const pod = pods.get(facts.podId)?.facts;
    return {
      ...podPart(pod),
      ...(pod === undefined && facts.podId !== "" ? { podSandboxId: facts.podId } : {}),
      container: facts.name,
      containerId: facts.id,
      attempt: facts.attempt,
      image: facts.image,
      labels: { ...pod?.labels, ...facts.labels },
    };
  }

  const exitPart = (container: Container): Partial<EventDraft> => {
    const { exit, oom } = container;
    if (exit === undefined) return {};
    const signal = signalOf(exit.code);
    return {
      exitCode: exit.code,
      ...(signal === undefined ? {} : { signal }),
      reason: exit.reason,
      ...(exit.message ? { message: exit.message } : {}),
      ...(oom ? { oom } : {}),
    };
  };

  function noteRemoved(id: string): void {
    const now = performance.now();
    removed.set(id, now);
    for (const [old, at] of removed) {
      if (now - at < removedMs && removed.size <= maxRemoved) break;
      removed.delete(old);
    }
  }

  const reasonOf = (container: Container, { code, reason }: Exit): string => {
    if (reason !== undefined && reason !== "" && reason !== "Unknown") return reason;
    if (container.oom) return "OOMKilled";
    if (reason === "Unknown") return reason;
    return code === 0 ? "Completed" : "Error";
  };

  const state: NodeState = {
    get clock() {
      return clock;
    },
    hasPod: (id) => pods.has(id),
    hasContainer: (id) => containers.has(id),
    wasRemoved: (id) => removed.has(id),
    untouchedSince(since) {
      const idle = (all: ReadonlyMap<string, { readonly touched: number }>): readonly string[] =>
        [...all].filter(([, { touched }]) => touched <= since).map(([id]) => id);
      return { pods: idle(pods), containers: idle(containers) };
    },
    get unexplained() {
      return [...unexplained];
    },
    phaseOf: (id) => containers.get(id)?.phase,
    podPhaseOf: (id) => pods.get(id)?.phase,

    podCreated(facts) {
      if (pods.has(facts.id) || removed.has(facts.id)) return;
      pods.set(facts.id, { facts, phase: "created", since: facts.createdAt, touched: ++clock });
      emit({ type: "pod.created", time: timeOf(facts.createdAt), ...podPart(facts) });
    },
    podReady(id, at) {
      const pod = pods.get(id);
      if (pod === undefined || pod.phase !== "created") return;
      advance(pod, "ready", at);
      emit({ type: "pod.ready", time: timeOf(at), ...podPart(pod.facts) });
    },
    podStopped(id, at) {
      const pod = pods.get(id);
      if (pod === undefined || pod.phase === "stopped") return;
      advance(pod, "stopped", at);
      emit({ type: "pod.stopped", time: timeOf(at), ...podPart(pod.facts) });
    },
    podRemoved(id, at) {
      const pod = pods.get(id);
      if (pod === undefined) {
        noteRemoved(id);
        return;
      }
      for (const [containerId, { facts }] of containers)
        if (facts.podId === id) state.containerRemoved(containerId, at);
      state.podStopped(id, at);
      pods.delete(id);
      noteRemoved(id);
      clock++;
      emit({ type: "pod.removed", time: timeOf(at), ...podPart(pod.facts) });
    },
    containerCreated(facts) {
      if (containers.has(facts.id) || removed.has(facts.id)) return;
      containers.set(facts.id, {
        facts,
        phase: "created",
        since: facts.createdAt,
        touched: ++clock,
        oom: false,
        exit: undefined,
        exitId: undefined,
      });
      emit({ type: "container.created", time: timeOf(facts.createdAt), ...partOf(facts) });
    },
    containerStarted(id, at) {
      const container = containers.get(id);
      if (container === undefined || container.phase === "running") return;
      if (container.phase === "exited") {
        // Only Docker restarts an exited container. Any other report is late.
        if (at === undefined || at <= (container.exit?.at ?? container.since)) return;
        container.exit = undefined;
        container.exitId = undefined;
        container.oom = false;
      }
      unexplained.delete(id);
      advance(container, "running", at);
      emit({ type: "container.started", time: timeOf(at), ...partOf(container.facts) });
    },
    containerFound(id, phase) {
      const container = containers.get(id);
      if (container === undefined) return;
      advance(container, phase, undefined);
      unexplained.add(id);
    },
    containerExplained(id, startedAt, exit) {
      const container = containers.get(id);
      if (container === undefined || !unexplained.delete(id)) return;
      if (container.phase === "exited") {
        if (exit === undefined) return;
        container.since = exit.at;
        container.exit = { ...exit, reason: reasonOf(container, exit) };
        return;
      }
      if (startedAt > 0n) container.since = startedAt;
      if (exit !== undefined) state.containerExited(id, exit);
    },
    containerExited(id, exit) {
      const container = containers.get(id);
      if (container === undefined) return;
      unexplained.delete(id);
      const known = container.exit;
      if (container.phase === "exited" && known !== undefined) {
        const isGuess = known.code === 255 && known.reason === "Unknown";
        const isLost = exit.code === 255 && exit.reason === "Unknown";
        if (isLost || (known.code !== exit.code && !isGuess && exit.reason === undefined)) return;
        const code = isGuess ? exit.code : known.code;
        const next = { ...exit, code, at: isGuess ? exit.at : known.at };
        const reason = exit.reason === undefined && !isGuess ? known.reason : reasonOf(container, next);
        const message = exit.message || known.message;
        if (code === known.code && reason === known.reason && message === known.message) return;
        container.exit = { ...next, reason, message };
      } else container.exit = { ...exit, reason: reasonOf(container, exit) };
      const amends = container.exitId || undefined;
      advance(container, "exited", exit.at);
      container.exitId = emit({
        type: "container.exited",
        time: timeOf(container.exit.at),
        ...partOf(container.facts),
        ...exitPart(container),
        ...(amends === undefined ? {} : { amends }),
      });
    },
    containerOom(id, at) {
      const container = containers.get(id);
      if (container === undefined) return;
      container.oom = true;
      container.touched = ++clock;
      emit({ type: "container.oom", time: timeOf(at), ...partOf(container.facts), oom: true });
      // Otherwise the OOM is reported first, and the exit will include it.
      if (container.exit !== undefined) state.containerExited(id, { ...container.exit, reason: "OOMKilled" });
    },
    containerExec(id, { execId, exitCode }, at) {
      const container = containers.get(id);
      if (container === undefined) return;
      const signal = exitCode === undefined ? undefined : signalOf(exitCode);
      emit({
        type: "container.exec",
        time: timeOf(at),
        ...partOf(container.facts),
        execId,
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(signal === undefined ? {} : { signal }),
      });
    },
    containerRemoved(id, at) {
      const container = containers.get(id);
      noteRemoved(id);
      if (container === undefined) return;
      const part = partOf(container.facts);
      containers.delete(id);
      unexplained.delete(id);
      clock++;
      emit({ type: "container.removed", time: timeOf(at), ...part });
    },

    snapshot() {
      const ofPods = [...pods.values()].map(
        ({ facts, phase, since }): SnapshotEvent => ({
          type: `pod.${phase}`,
          time: timeOf(since),
          ...podPart(facts),
          snapshot: true,
        }),
      );
      const ofContainers = [...containers.values()].map(
        (container): SnapshotEvent => ({
          type: `container.${container.phase === "running" ? "started" : container.phase}`,
          time: timeOf(container.since),
          ...partOf(container.facts),
          ...exitPart(container),
          snapshot: true,
        }),
      );
      return [...ofPods, ...ofContainers];
    },
  };

  function advance<P extends string>(
    subject: { phase: P; since: bigint; touched: number },
    phase: P,
    at: bigint | undefined,
  ): void {
    subject.phase = phase;
    subject.since = at === undefined || at <= 0n ? BigInt(Date.now()) * 1_000_000n : at;
    subject.touched = ++clock;
  }

  return state;
}
