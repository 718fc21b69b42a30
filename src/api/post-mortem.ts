/**
 * `GET /v1/containers/{id}/post-mortem`: everything that is known of a container and its end, in one answer.
 *
 * Only the container itself must be known, to the runtime or from its events. Each other part is there if the caller
 * has the grant for it and it can be had; otherwise `missing` says why. What a caller may not see is not read, so that
 * the cause cannot reveal it either.
 */
import { lstat } from "node:fs/promises";
import { canUse } from "../access/authorize.ts";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { type NodeEvent, timeOf } from "../events/node-event.ts";
import type { KnownEvents } from "../events/node-events.ts";
import { signalOf } from "../events/signal-names.ts";
import type { ContainerState, ContainerStatus, ContainerStatusResponse } from "../gen/messages.ts";
import { describeGrant, type Grant } from "../grants.ts";
import { compileQuery } from "../logs/line-filter.ts";
import { absent } from "../logs/log-place.ts";
import { fromMs } from "../logs/log-time.ts";
import { oneContainer } from "../logs/logged-containers.ts";
import { openLogs } from "../logs/read-logs.ts";
import type { LogItem, PostMortem } from "../routes/answers.ts";
import type { CustomRoute } from "../routes/define.ts";
import { defaultLogsOf } from "../runtimes/log-folders.ts";
import { commandOf, containerFactsOf } from "../stats/verbose-facts.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { inputOf } from "./input.ts";
import { likelyCause } from "./likely-cause.ts";
import { itemOf } from "./log-item.ts";

type Part = PostMortem["missing"][number]["part"];

/** In this order in the answer. */
const parts: readonly Part[] = ["log", "events", "pod", "attempts", "command", "memory"];
/** Text of a log in an answer. The last line comes whatever its size, which is at most this. */
const maxLogBytes = 1024 * 1024;
const maxAttempts = 20;
const maxEvents = 500;
/** How far the times of a log and of events are apart at most, in milliseconds. */
const clockSlackMs = 1000;

/** A part that cannot be had. */
class Missing extends Error {}

/** A container, as its status or its events tell. */
interface Subject {
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
interface Life {
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
}

export async function readPostMortem(
  ctx: RequestContext<CustomRoute>,
  gateway: Gateway,
): Promise<PostMortem> {
  const { bound, caller, onCancel } = ctx;
  const { containerId: id, tailLines } = inputOf("getPostMortem", bound);
  const { runtime } = gateway;
  const options: CallOptions = { onCancel };
  const missing: PostMortem["missing"][number][] = [];

  /** Reads a part. Undefined if it cannot be had, which is then noted. */
  async function partOf<T>(
    part: Part,
    grant: Grant | undefined,
    read: () => T | Promise<T>,
  ): Promise<T | undefined> {
    if (grant !== undefined && !canUse(grant, caller)) {
      missing.push({ part, reason: `needs the grant ${grant}: ${describeGrant(grant)}`, grant });
      return undefined;
    }
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof GatewayError || error instanceof Missing)) throw error;
      missing.push({ part, reason: error.message });
      return undefined;
    }
  }

  const known = await partOf("events", "read:events", () => {
    const found = gateway.events.ofContainer(id);
    if (found === undefined)
      throw new Missing("events are kept only while somebody reads GET /v1/events, and nobody has lately");
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
      if (found === undefined) throw new Missing("the pod has been removed");
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
      const isTaken = (siblings ?? []).some(
        (one) => one.metadata?.name === name && one.metadata.attempt === attempt && one.id !== id,
      );
      const logPath = reply?.status?.logPath ?? (await keptLog(gateway, subject, isTaken));
      return await lastLines(ctx, { gateway, subject, logPath, tailLines, isRemoved: reply === undefined });
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
        throw new Missing(
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

/** The runtime says for some milliseconds that a container runs whose end it has announced. */
function withEvents(
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
function fromEvents(events: readonly NodeEvent[]): Subject {
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

function exitOf({ state, exitCode, reason, message }: ContainerStatus): PostMortem["exit"] {
  if (state !== "CONTAINER_EXITED") return undefined;
  return {
    exitCode,
    signal: signalOf(exitCode),
    reason: reason || undefined,
    message: message || undefined,
  };
}

const nanosOf = ({ time }: NodeEvent): bigint => BigInt(Date.parse(time)) * 1_000_000n;

const lifeOf = ({ createdAt, startedAt, finishedAt }: ContainerStatus): Life => ({
  createdAt: BigInt(createdAt),
  startedAt: BigInt(startedAt),
  finishedAt: BigInt(finishedAt),
});

function lifeAnswer({ createdAt, startedAt, finishedAt }: Life, isRunning: boolean) {
  const text = (time: bigint): string | undefined => (time > 0n ? String(time) : undefined);
  const end = isRunning ? BigInt(Date.now()) * 1_000_000n : finishedAt;
  return {
    createdAt: text(createdAt),
    startedAt: text(startedAt),
    finishedAt: isRunning ? undefined : text(finishedAt),
    runTimeMs: startedAt > 0n && end >= startedAt ? Number((end - startedAt) / 1_000_000n) : undefined,
  };
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
  if (podSandboxId === "") throw new Missing("the container has been removed, and its pod is unknown");
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

// ---- Its log ----

/**
 * The log of a container that was removed, at the place where logs are by default.
 *
 * @throws {Missing} if there is none, or several containers may have written it.
 */
async function keptLog(
  { inventory, logRoots }: Gateway,
  { podSandboxId, name, attempt }: Subject,
  isTaken: boolean,
): Promise<string> {
  const pod = await inventory.podOf("pod", podSandboxId);
  const found = await Promise.all(logRoots.map((root) => defaultLogsOf(root, pod, { name, attempt })));
  const [path, ...others] = found.flat();
  if (path === undefined)
    throw new Missing("the container has been removed, and its log is not at its usual place");
  if (isTaken || others.length > 0)
    throw new Missing(
      "the container has been removed, and another one with its name and attempt has a log there too",
    );
  return path;
}

interface LastLinesOptions {
  readonly gateway: Gateway;
  readonly subject: Subject;
  readonly logPath: string;
  readonly tailLines: number;
  readonly isRemoved: boolean;
}

/** @throws {Missing} if there is no such file. @throws {GatewayError} `log_not_readable` */
async function lastLines(
  { signal, bound }: RequestContext<CustomRoute>,
  { gateway, subject, logPath, tailLines, isRemoved }: LastLinesOptions,
): Promise<readonly LogItem[]> {
  const { containerId: id } = inputOf("getPostMortem", bound);
  const { name, attempt, podSandboxId, state, life } = subject;
  const container = {
    id,
    name,
    attempt,
    podSandboxId,
    pod: "",
    namespace: "",
    isEnded: state !== "CONTAINER_RUNNING",
  };
  // A file of the same name may be that of another container, if this one's has expired.
  const near = (time: bigint, slackMs: number) =>
    isRemoved && time > 0n ? fromMs(Number(time / 1_000_000n) + slackMs) : undefined;
  const tests = await compileQuery({
    since: near(life.createdAt, -clockSlackMs),
    until: near(life.finishedAt, clockSlackMs),
    before: 0,
    after: 0,
  });
  const logs = await openLogs({
    containers: oneContainer(container, async () => logPath),
    roots: gateway.logRoots,
    query: { selection: {}, tests, follow: false, tailLines },
    signal,
  });
  let items: { readonly item: LogItem; readonly bytes: number }[] = [];
  let bytes = 0;
  for await (const batch of logs.lines) {
    for (const one of batch) {
      logs.passed(one);
      const { line } = one;
      const limited = { text: line.bytes.toString("utf8"), isTruncated: line.isTruncated };
      items.push({
        item: itemOf(one, { ...limited, origin: "none", cursor: logs.cursor() ?? "" }),
        bytes: line.bytes.length,
      });
      bytes += line.bytes.length;
    }
    let first = 0;
    for (; bytes > maxLogBytes && first < items.length - 1; first++) bytes -= items[first]?.bytes ?? 0;
    items = items.slice(first);
  }
  if (items.length === 0 && (await lstat(logPath).catch(absent)) === undefined)
    throw new Missing(`there is no file ${logPath}`);
  return items.map(({ item }) => item);
}
