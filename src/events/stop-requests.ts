/**
 * Remembers what this gateway was asked to stop or remove. No runtime says why a container got a signal, so that
 * otherwise nobody could tell a stop from a kill.
 */
import { rpcRules } from "../cri/rpc-rules.ts";
import { type Interceptor, only } from "../runtimes/compose.ts";
import { subjectOf } from "../runtimes/subject.ts";

/** A request that stops one container, or all of a pod. */
export interface StopRequest {
  readonly subject: "container" | "pod";
  /** Whether the container or pod was to be removed as well. */
  readonly removes: boolean;
  /** When the runtime was asked, in milliseconds since 1970. */
  readonly atMs: number;
  /** How long the container had to end after its stop signal. 0: it was killed at once. */
  readonly graceSeconds: number;
}

export interface StopRequests {
  /** Takes note of each call that stops containers. */
  readonly intercept: Interceptor;
  /** The latest request during which this container ended; undefined if there was none, or it is forgotten. */
  during(end: ContainerEnd): StopRequest | undefined;
}

export interface ContainerEnd {
  readonly containerId: string;
  readonly podSandboxId: string;
  /** In milliseconds since 1970. */
  readonly finishedAtMs: number;
}

interface Entry extends StopRequest {
  readonly id: string;
  /** When the runtime had answered; infinite before. */
  answeredAtMs: number;
}

const maxEntries = 10_000;
/** A runtime may kill a little later than the grace period says, also when its caller has left. */
const lateMs = 2000;

export function createStopRequests(): StopRequests {
  let entries: Entry[] = [];

  function note(entry: Entry): Entry {
    // Half at a time: removing from the front of an array costs its length.
    if (entries.length >= maxEntries) entries = entries.slice(maxEntries / 2);
    entries.push(entry);
    return entry;
  }

  return {
    intercept: only(
      ({ stopsOne, stopsContainers }) => stopsOne === true || stopsContainers !== undefined,
      (below) => ({
        ...below,
        async call(rpc, request, options) {
          const { containerId, podSandboxId, timeout } = subjectOf(rpc, request);
          const entry = note({
            subject: containerId ? "container" : "pod",
            id: containerId || podSandboxId || "",
            removes: rpcRules[rpc].removes !== undefined,
            atMs: Date.now(),
            graceSeconds: Number(timeout ?? options?.graceSeconds ?? 0),
            answeredAtMs: Number.POSITIVE_INFINITY,
          });
          try {
            return await below.call(rpc, request, options);
          } finally {
            entry.answeredAtMs = Date.now();
          }
        },
      }),
    ),
    during: ({ containerId, podSandboxId, finishedAtMs }) =>
      entries.findLast(
        ({ subject, id, atMs, graceSeconds, answeredAtMs }) =>
          id === (subject === "pod" ? podSandboxId : containerId) &&
          finishedAtMs >= atMs &&
          finishedAtMs <= Math.max(answeredAtMs, atMs + graceSeconds * 1000) + lateMs,
      ),
  };
}
