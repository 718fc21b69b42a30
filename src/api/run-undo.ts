/** Removes what a run has made, if it fails. */
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import { type ErrorCode, errorTable, GatewayError } from "../errors.ts";
import type { PodSandboxMetadata } from "../gen/messages.ts";
import { isSamePod } from "../runtimes/safe-creates.ts";

/** What a run has made so far. */
export interface Made {
  /** The name of the pod that the runtime was asked for; undefined before. */
  asked?: { readonly metadata: Input<PodSandboxMetadata>; readonly atMs: number };
  podSandboxId?: string;
  containerId?: string;
}

/** How long the removal may take, in milliseconds. It waits for a runtime that restarts. */
const removalMs = 30_000;
const pauseMs = 250;

/** Failures after which the runtime may have made the pod all the same. */
const unclear: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "outcome_unknown",
  "deadline_exceeded",
  "runtime_unavailable",
  "reply_too_large",
  "runtime_error",
  "internal",
]);

/**
 * Removes the pod with its container, and returns what could not be removed, and why. A pod whose id never arrived is
 * found by its name, which has a random part.
 */
export async function removeMade(
  runtime: Runtime,
  made: Made,
  failure: unknown,
): Promise<{ readonly why: string } | undefined> {
  const endMs = performance.now() + removalMs;
  for (;;) {
    const deadlineMs = endMs - performance.now();
    try {
      const podSandboxId = made.podSandboxId ?? (await findPod(runtime, made, failure, deadlineMs));
      if (podSandboxId === undefined) return undefined;
      made.podSandboxId = podSandboxId;
      await removePod(runtime, podSandboxId, deadlineMs);
      return undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!mayPass(error) || deadlineMs < pauseMs * 2) return { why };
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** Whether the same call may succeed later. */
const mayPass = (error: unknown): boolean =>
  error instanceof GatewayError && "retryable" in errorTable[error.code];

/** Removes a pod and its containers. One that is not there any more counts as removed. @throws {GatewayError} */
export async function removePod(
  runtime: Runtime,
  podSandboxId: string,
  deadlineMs = removalMs,
): Promise<void> {
  try {
    await call(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId }, { deadlineMs });
  } catch (error) {
    if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
  }
}

async function findPod(
  runtime: Runtime,
  { asked }: Made,
  failure: unknown,
  deadlineMs: number,
): Promise<string | undefined> {
  if (asked === undefined || (failure instanceof GatewayError && !unclear.has(failure.code)))
    return undefined;
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {}, { deadlineMs });
  // Docker's times are whole seconds. An older one belongs to somebody else.
  const earliest = BigInt(Math.floor(asked.atMs / 1000)) * 1_000_000_000n;
  return items.find(({ metadata, createdAt }) => {
    const created = BigInt(createdAt);
    return isSamePod(metadata, asked.metadata) && (created <= 0n || created >= earliest);
  })?.id;
}
