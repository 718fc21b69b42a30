/** The container that a post-mortem is about: what its status and its events say of it. */
import type { NodeEvent } from "../events/node-event.ts";
import { signalOf } from "../events/signal-names.ts";
import type { ContainerState, ContainerStatus } from "../gen/messages.ts";
import type { PostMortem } from "../routes/answers.ts";

/** A container, as its status or its events tell. */
export interface Subject {
  readonly name: string;
  readonly attempt: number;
  readonly podSandboxId: string;
  readonly state: ContainerState;
  readonly life: Life;
  readonly exit: PostMortem["exit"];
  readonly image: string;
  readonly imageRef: string | undefined;
}

/** Nanoseconds since 1970; 0 is not known. */
export interface Life {
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
}

/** The runtime says for some milliseconds that a container runs whose end it has announced. */
export function withEvents(
  status: ContainerStatus,
  { events, podSandboxId }: { readonly events: readonly NodeEvent[]; readonly podSandboxId: string },
): Subject {
  const life = lifeOf(status);
  const exit = exitOf(status);
  const end = endIn(events);
  const isLost = exit?.exitCode === 255 && exit.reason === "Unknown";
  const isAhead = end !== undefined && (isLost || status.state === "CONTAINER_RUNNING");
  return {
    name: status.metadata?.name ?? "",
    attempt: status.metadata?.attempt ?? 0,
    podSandboxId,
    state: isAhead ? "CONTAINER_EXITED" : status.state,
    life: isAhead ? { ...life, finishedAt: nanosOf(end) } : life,
    exit: isAhead ? exitIn(end) : exit,
    image: status.image?.userSpecifiedImage || status.image?.image || status.imageRef,
    imageRef: status.imageRef || undefined,
  };
}

/** Of a container that the runtime has no more. */
export function fromEvents(events: readonly NodeEvent[]): Subject {
  const end = endIn(events);
  const timeOfType = (type: NodeEvent["type"]): bigint => {
    const event = events.find((one) => one.type === type);
    return event === undefined ? 0n : nanosOf(event);
  };
  const last = events.at(-1);
  return {
    name: last?.container ?? "",
    attempt: last?.attempt ?? 0,
    podSandboxId: last?.podSandboxId ?? "",
    state: end === undefined ? "CONTAINER_UNKNOWN" : "CONTAINER_EXITED",
    life: {
      createdAt: timeOfType("container.created"),
      startedAt: timeOfType("container.started"),
      finishedAt: end === undefined ? 0n : nanosOf(end),
    },
    exit: end && exitIn(end),
    image: last?.image ?? "",
    imageRef: undefined,
  };
}

/** The last exit, unless the container was started again since. */
function endIn(events: readonly NodeEvent[]): NodeEvent | undefined {
  const last = events.findLast(({ type }) => type === "container.exited" || type === "container.started");
  return last?.type === "container.exited" ? last : undefined;
}

function exitIn({ exitCode = 0, signal, reason, message }: NodeEvent): PostMortem["exit"] {
  return { exitCode, signal, reason, message };
}

export function exitOf({ state, exitCode, reason, message }: ContainerStatus): PostMortem["exit"] {
  if (state !== "CONTAINER_EXITED") return undefined;
  return {
    exitCode,
    signal: signalOf(exitCode),
    reason: reason || undefined,
    message: message || undefined,
  };
}

const nanosOf = ({ time }: NodeEvent): bigint => BigInt(Date.parse(time)) * 1_000_000n;

export const lifeOf = ({ createdAt, startedAt, finishedAt }: ContainerStatus): Life => ({
  createdAt: BigInt(createdAt),
  startedAt: BigInt(startedAt),
  finishedAt: BigInt(finishedAt),
});

export function lifeAnswer({ createdAt, startedAt, finishedAt }: Life, isRunning: boolean) {
  const text = (time: bigint): string | undefined => (time > 0n ? String(time) : undefined);
  const end = isRunning ? BigInt(Date.now()) * 1_000_000n : finishedAt;
  return {
    createdAt: text(createdAt),
    startedAt: text(startedAt),
    finishedAt: isRunning ? undefined : text(finishedAt),
    // A runtime notes the start after the process began, which may have ended by then.
    runTimeMs: startedAt > 0n && end > 0n ? Math.max(0, Number((end - startedAt) / 1_000_000n)) : undefined,
  };
}
