/**
 * `GET /v1/containers/{id}/post-mortem`: everything that is known of a container and its end, in one answer.
 *
 * Only the container itself must be known, to the runtime or from its events. Each other part is there if the caller
 * has the grant for it and it is available; otherwise `missing` says why. What a caller may not see is not read, so that
 * the cause cannot reveal it either.
 */
import { canUse } from "../access/authorize.ts";
import { allPods } from "../access/scope.ts";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { type NodeEvent, timeOf } from "../events/node-event.ts";
import type { KnownEvents } from "../events/node-events.ts";
import type { ContainerStatusResponse } from "../gen/messages.ts";
import { describeGrant, type Grant } from "../grants.ts";
import type { SeenPod } from "../inventory/visibility.ts";
import type { PostMortem } from "../routes/answers.ts";
import type { CustomRoute } from "../routes/define.ts";
import { commandOf, containerFactsOf } from "../stats/verbose-facts.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { inputOf } from "./input.ts";
import { likelyCause } from "./likely-cause.ts";
import { MissingPart } from "./missing-part.ts";
import { lastLines } from "./post-mortem-log.ts";
import { exitOf, fromEvents, lifeAnswer, lifeOf, type Subject, withEvents } from "./post-mortem-subject.ts";

type Part = PostMortem["missing"][number]["part"];

/** In this order in the answer. */
const parts: readonly Part[] = ["log", "events", "pod", "attempts", "command", "memory"];
const maxAttempts = 20;
const maxEvents = 500;

export async function readPostMortem(
  ctx: RequestContext<CustomRoute>,
  gateway: Gateway,
): Promise<PostMortem> {
  const { bound, caller, onCancel } = ctx;
  const { containerId: id, tailLines } = inputOf("getPostMortem", bound);
  const { runtime } = gateway;
  const options: CallOptions = { onCancel };
  const missing: PostMortem["missing"][number][] = [];

  let ownPod: Promise<SeenPod | undefined> | undefined;

  /** Whether the caller has a grant for this container. */
  async function may(grant: Grant): Promise<boolean> {
    if (canUse(grant, caller, allPods)) return true;
    if (!canUse(grant, caller)) return false;
    // Of a removed container, events may tell.
    ownPod ??= gateway.inventory.podOf("container", id).catch(() => gateway.events.podOf("container", id));
    const pod = await ownPod;
    return pod !== undefined && canUse(grant, caller, pod);
  }

  /** Reads a part. Undefined if it is not available, which is then noted. */
  async function partOf<T>(
    part: Part,
    grant: Grant | undefined,
    read: () => T | Promise<T>,
  ): Promise<T | undefined> {
    if (grant !== undefined && !(await may(grant))) {
      missing.push({ part, reason: `needs the grant ${grant}: ${describeGrant(grant)}`, grant });
      return undefined;
    }
    try {
      return await read();
    } catch (error) {
      const isExpected = error instanceof GatewayError || error instanceof MissingPart;
      // A file that the gateway may not read.
      if (!isExpected && !(error instanceof Error && "syscall" in error)) throw error;
      missing.push({ part, reason: error.message });
      return undefined;
    }
  }

  const known = await partOf("events", "read:events", () => {
    const found = gateway.events.ofContainer(id);
    if (found === undefined)
      throw new MissingPart(
        "events are kept only while somebody reads GET /v1/events, and nobody has lately",
      );
    return found;
  });
  const events = known?.events ?? [];
  const reply = await statusOf(runtime, id, options).catch((error: unknown) => {
    if (events.length > 0 && error instanceof GatewayError && error.code === "not_found") return undefined;
    throw error;
  });
  const subject =
    reply?.status === undefined
      ? fromEvents(events)
      : withEvents(reply.status, { events, podSandboxId: await podIdOf(runtime, id, { events, options }) });
  const facts = reply && containerFactsOf(reply);
  const { podSandboxId, name, attempt, life, exit, state } = subject;
  const isRunning = state === "CONTAINER_RUNNING";

  const siblings = await partOf("attempts", undefined, () => containersOf(runtime, podSandboxId, options));
  const [attempts, pod, log, memory, command] = await Promise.all([
    siblings && partOf("attempts", undefined, () => earlierAttempts(runtime, { subject, siblings, options })),
    partOf("pod", "read:pods", async () => {
      const { items } = await call(
        runtime,
        "RuntimeService/ListPodSandbox",
        { filter: { id: podSandboxId } },
        options,
      );
      const found = items.find((item) => item.id === podSandboxId);
      if (found === undefined) throw new MissingPart("the pod has been removed");
      return {
        id: podSandboxId,
        name: found.metadata?.name ?? "",
        namespace: found.metadata?.namespace ?? "",
        state: found.state,
        createdAt: found.createdAt,
        containers: siblings?.map((one) => ({
          id: one.id,
          name: one.metadata?.name ?? "",
          attempt: one.metadata?.attempt ?? 0,
          state: one.state,
        })),
      };
    }),
    partOf("log", "logs", async () => {
      if (tailLines === 0) return [];
      return await lastLines(gateway, { id, tailLines, signal: ctx.signal });
    }),
    partOf("memory", "read:stats", async () => {
      const history = await gateway.readMemory(id, isRunning ? (facts?.pid ?? 0) : 0);
      if (history.peakBytes === undefined)
        missing.push({
          part: "memory",
          reason: isRunning
            ? "the peak is unknown: the gateway does not see the cgroup, and nobody watched the usage"
            : "the peak is unknown: the kernel drops it when a container exits, and nobody watched the usage",
        });
      return history;
    }),
    partOf("command", "verbose", () => {
      const found = reply && commandOf(reply);
      if (found === undefined)
        throw new MissingPart(
          reply === undefined ? "the container has been removed" : "the runtime does not report it",
        );
      return found;
    }),
  ]);

  const oomKilled =
    exit?.reason === "OOMKilled" || (memory?.oomKills ?? 0) > 0 || events.some(({ oom }) => oom === true);
  const finishedAtMs = Number(life.finishedAt / 1_000_000n);
  const stop = exit && gateway.stops.during({ containerId: id, podSandboxId, finishedAtMs });
  const limitBytes = facts?.limits.memoryLimit;
  return {
    time: timeOf(undefined),
    id,
    name,
    attempt,
    podSandboxId,
    state,
    removed: reply === undefined,
    cause: likelyCause({
      state,
      exit,
      // Of one that was removed, its start may be older than the events.
      hasStarted: reply === undefined || life.startedAt > 0n,
      oomKilled,
      memoryLimitBytes: limitBytes,
      stop,
      outlivedMs: stop && finishedAtMs - stop.atMs,
    }),
    exit,
    ...lifeAnswer(life, isRunning),
    stopRequest: stop && {
      time: new Date(stop.atMs).toISOString(),
      action: stop.removes ? "remove" : "stop",
      subject: stop.subject,
      graceSeconds: stop.graceSeconds,
    },
    memory: {
      oomKilled,
      limitBytes,
      peakBytes: memory?.peakBytes,
      peakSampled: memory?.peakBytes === undefined ? undefined : memory.isSampled,
      oomKills: memory?.oomKills,
    },
    image: subject.image,
    imageRef: subject.imageRef,
    command,
    log,
    attempts,
    pod,
    ...(known && eventsAnswer(known)),
    missing: missing.toSorted((a, b) => parts.indexOf(a.part) - parts.indexOf(b.part)),
  };
}

// ---- The container ----

/** Its verbose status. @throws {GatewayError} `not_found` */
async function statusOf(
  runtime: Runtime,
  containerId: string,
  options: CallOptions,
): Promise<ContainerStatusResponse> {
  const reply = await call(
    runtime,
    "RuntimeService/ContainerStatus",
    { containerId, verbose: true },
    options,
  );
  if (reply.status !== undefined) return reply;
  throw new GatewayError(
    "not_found",
    `Cannot find container "${containerId}": the runtime has none of this id`,
  );
}

/** A status does not tell the pod. */
async function podIdOf(
  runtime: Runtime,
  id: string,
  { events, options }: { readonly events: readonly NodeEvent[]; readonly options: CallOptions },
): Promise<string> {
  const told = events.at(-1)?.podSandboxId;
  if (told !== undefined) return told;
  const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter: { id } }, options);
  return containers.find((one) => one.id === id)?.podSandboxId ?? "";
}

/** The latest events. A container may have thousands, if commands run in it every second. */
function eventsAnswer({ events, completeSinceMs }: KnownEvents): Pick<PostMortem, "events" | "eventsSince"> {
  const latest = events.slice(-maxEvents);
  const isCut = latest.length < events.length;
  return {
    events: latest,
    eventsSince: (isCut && latest[0]?.time) || new Date(completeSinceMs).toISOString(),
  };
}

// ---- Its pod ----

type Containers = Awaited<ReturnType<typeof containersOf>>;

/** The containers of a pod, the newest first. */
async function containersOf(runtime: Runtime, podSandboxId: string, options: CallOptions) {
  if (podSandboxId === "") throw new MissingPart("the container has been removed, and its pod is unknown");
  const { containers } = await call(
    runtime,
    "RuntimeService/ListContainers",
    { filter: { podSandboxId } },
    options,
  );
  return containers
    .filter((one) => one.podSandboxId === podSandboxId)
    .sort((a, b) => Number(BigInt(b.createdAt) - BigInt(a.createdAt)) || (a.id < b.id ? -1 : 1));
}

async function earlierAttempts(
  runtime: Runtime,
  {
    subject: { name, attempt },
    siblings,
    options,
  }: { readonly subject: Subject; readonly siblings: Containers; readonly options: CallOptions },
): Promise<NonNullable<PostMortem["attempts"]>> {
  const earlier = siblings
    .flatMap(({ id, metadata }) =>
      metadata?.name === name && metadata.attempt < attempt ? [{ id, attempt: metadata.attempt }] : [],
    )
    .sort((a, b) => b.attempt - a.attempt)
    .slice(0, maxAttempts);
  const found = await Promise.all(
    earlier.map(async (one) => {
      const status = await unlessRemoved(
        call(runtime, "RuntimeService/ContainerStatus", { containerId: one.id }, options),
      );
      if (status?.status === undefined) return [];
      const { state } = status.status;
      const life = lifeAnswer(lifeOf(status.status), state === "CONTAINER_RUNNING");
      return [{ ...one, state, exit: exitOf(status.status), ...life }];
    }),
  );
  return found.flat();
}

async function unlessRemoved<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "not_found") return undefined;
    throw error;
  }
}
