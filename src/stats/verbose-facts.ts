/**
 * Facts from verbose statuses that stay the same while a pod or container runs: its pid, image and start time. They are
 * read once. Nothing else is kept, because verbose statuses also contain environments.
 */
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerStatusResponse, LinuxContainerResources } from "../gen/messages.ts";
import { present } from "./cgroup-files.ts";
import type { Usage } from "./usage.ts";

export interface ContainerFacts {
  readonly pid: number;
  /** The name that the runtime knows the image by. */
  readonly image: string;
  readonly startedAt?: number;
  readonly exitCode: number;
  /** As configured. The kernel's values are more recent. */
  readonly limits: Pick<Usage, "cpuQuota" | "cpuPeriod" | "cpuShares" | "memoryLimit">;
}

export interface PodFacts {
  /** 0 if the runtime does not report it. */
  readonly pid: number;
  readonly ip: string;
  /** The image of the sandbox; empty if the runtime does not report it. */
  readonly image: string;
}

/** Undefined when it is gone. @throws {GatewayError} when the runtime does not answer. */
export async function readContainerFacts(
  runtime: Runtime,
  containerId: string,
  options: CallOptions,
): Promise<ContainerFacts | undefined> {
  const reply = await unlessGone(
    call(runtime, "RuntimeService/ContainerStatus", { containerId, verbose: true }, options),
  );
  return reply && containerFactsOf(reply);
}

/** The same from a verbose status. Undefined if there is no status. */
export function containerFactsOf({ status, info }: ContainerStatusResponse): ContainerFacts | undefined {
  if (status === undefined) return undefined;
  const told = parsed(info.info);
  return {
    pid: numberAt(told, "pid"),
    image: status.image?.userSpecifiedImage || status.image?.image || status.imageRef,
    exitCode: status.exitCode,
    ...present({ startedAt: secondsOf(status.startedAt) }),
    limits: limitsOf(status.resources?.linux ?? configuredResources(told)),
  };
}

type Resources = Partial<
  Pick<LinuxContainerResources, "cpuQuota" | "cpuPeriod" | "cpuShares" | "memoryLimitInBytes">
>;

function limitsOf(resources: Resources): ContainerFacts["limits"] {
  const positive = (text: string | undefined): number | undefined =>
    text !== undefined && Number(text) > 0 ? Number(text) : undefined;
  const cpuQuota = positive(resources.cpuQuota);
  return present({
    cpuQuota,
    cpuPeriod: cpuQuota === undefined ? undefined : (positive(resources.cpuPeriod) ?? 100_000),
    cpuShares: positive(resources.cpuShares),
    memoryLimit: positive(resources.memoryLimitInBytes),
  });
}

/** The resources of the container's config. Some runtimes include resources in a status only after an update. */
function configuredResources({ config, runtimeSpec }: Json): Resources {
  // containerd keeps the request; CRI-O has the OCI specification.
  const asked = objectAt(objectAt(config, "linux"), "resources");
  const specified = objectAt(objectAt(runtimeSpec, "linux"), "resources");
  const cpu = objectAt(specified, "cpu");
  const text = (value: unknown): string | undefined =>
    typeof value === "number" ? String(value) : undefined;
  const found = {
    cpuQuota: text(asked.cpu_quota ?? cpu.quota),
    cpuPeriod: text(asked.cpu_period ?? cpu.period),
    cpuShares: text(asked.cpu_shares ?? cpu.shares),
    memoryLimitInBytes: text(asked.memory_limit_in_bytes ?? objectAt(specified, "memory").limit),
  };
  return present(found);
}

/**
 * The command of a container with its arguments, as a verbose status has it; undefined where the runtime does not tell.
 * It may contain secrets.
 */
export function commandOf({ info }: ContainerStatusResponse): readonly string[] | undefined {
  const { args } = objectAt(objectAt(parsed(info.info), "runtimeSpec"), "process");
  return Array.isArray(args) && args.every((arg) => typeof arg === "string") ? args : undefined;
}

function objectAt(value: unknown, key: string): Json {
  const member = typeof value === "object" && value !== null ? (value as Json)[key] : undefined;
  return typeof member === "object" && member !== null ? (member as Json) : {};
}

/** As `readContainerFacts`, for a pod. */
export async function readPodFacts(
  runtime: Runtime,
  podSandboxId: string,
  options: CallOptions,
): Promise<PodFacts | undefined> {
  const reply = await unlessGone(
    call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId, verbose: true }, options),
  );
  if (reply?.status === undefined) return undefined;
  const info = parsed(reply.info.info);
  const { image } = info;
  return {
    pid: numberAt(info, "pid"),
    ip: reply.status.network?.ip ?? "",
    image: typeof image === "string" ? image : "",
  };
}

/** A time of CRI, in seconds; undefined for one that was never set. */
export function secondsOf(nanoseconds: string): number | undefined {
  const seconds = Number(nanoseconds) / 1e9;
  return seconds > 0 ? seconds : undefined;
}

type Json = { readonly [key: string]: unknown };

function parsed(text: string | undefined): Json {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

function numberAt(info: Json, key: string): number {
  const value = info[key];
  return typeof value === "number" ? value : 0;
}

async function unlessGone<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof GatewayError && lost.has(error.code)) return undefined;
    throw error;
  }
}

/** Errors that may concern a single pod or container. */
const lost: ReadonlySet<string> = new Set([
  "not_found",
  "runtime_error",
  "reply_too_large",
  "deadline_exceeded",
  "conflict",
]);
