/**
 * Makes a runtime's stats conform to CRI, in calls and streams. CPU rates are present from the second reading on and
 * absent before it. One pod or container that cannot be read does not break the stats of all others, and two concurrent
 * readings do not crash the runtime.
 */
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { decodeReply, encodeReply } from "../cri/codec.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { ContainerStats, CpuUsage, PodSandboxStats } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "../runtimes/compose.ts";
import { countdown } from "../runtimes/countdown.ts";
import { identify } from "../runtimes/identity.ts";
import { mapReplies } from "../runtimes/map-replies.ts";
import { quirksOf } from "../runtimes/quirks.ts";
import { createCpuRates } from "./cpu-rate.ts";
import { readMembers } from "./members.ts";

const ofPods: ReadonlySet<Rpc> = new Set<Rpc>([
  "RuntimeService/PodSandboxStats",
  "RuntimeService/ListPodSandboxStats",
]);

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** The RPCs whose replies have CPU usage. */
const statsRpcs: ReadonlySet<Rpc> = new Set<Rpc>([
  "RuntimeService/ContainerStats",
  "RuntimeService/ListContainerStats",
  "RuntimeService/PodSandboxStats",
  "RuntimeService/ListPodSandboxStats",
  "RuntimeService/StreamContainerStats",
  "RuntimeService/StreamPodSandboxStats",
]);

export const withStats: Interceptor = only((_rule, rpc) => statsRpcs.has(rpc), completeStats);

function completeStats(runtime: Runtime): Runtime {
  const rates = createCpuRates();
  let latest: Promise<unknown> = Promise.resolve();

  /**
   * Fills in the rate, or removes a 0 that the runtime reports because it has no earlier reading to compare with.
   * Returns whether anything changed.
   */
  function fillCpu(id: string, cpu: Draft<CpuUsage> | undefined): boolean {
    if (id === "" || !cpu?.usageCoreNanoSeconds) return false;
    const said = cpu.usageNanoCores?.value;
    const rate = rates.rateOf(id, cpu.timestamp, cpu.usageCoreNanoSeconds.value);
    if ((said !== undefined && said !== "0") || said === rate) return false;
    if (rate === undefined) delete cpu.usageNanoCores;
    else cpu.usageNanoCores = { value: rate };
    return true;
  }
  const fillContainer = (stats: ContainerStats | undefined): boolean =>
    fillCpu(stats?.attributes?.id ?? "", stats?.cpu);
  const fillPod = (stats: PodSandboxStats | undefined): boolean => {
    const pod = fillCpu(stats?.attributes?.id ?? "", stats?.linux?.cpu);
    const containers = (stats?.linux?.containers ?? []).map(fillContainer);
    return pod || containers.includes(true);
  };

  /** Completes the replies and messages of the stats RPCs; returns whether they changed. */
  const fillers: { readonly [R in Rpc]?: (reply: Methods[R]["response"]) => boolean } = {
    "RuntimeService/ContainerStats": ({ stats }) => fillContainer(stats),
    "RuntimeService/ListContainerStats": ({ stats }) => stats.map(fillContainer).includes(true),
    "RuntimeService/PodSandboxStats": ({ stats }) => fillPod(stats),
    "RuntimeService/ListPodSandboxStats": ({ stats }) => stats.map(fillPod).includes(true),
    "RuntimeService/StreamContainerStats": ({ containerStats }) =>
      containerStats.map(fillContainer).includes(true),
    "RuntimeService/StreamPodSandboxStats": ({ podSandboxStats }) =>
      podSandboxStats.map(fillPod).includes(true),
  };

  function fill<R extends Rpc>(rpc: R, wire: Buffer): Buffer {
    const filler = fillers[rpc];
    if (!filler) return wire;
    const reply = decodeReply(rpc, wire);
    return filler(reply) ? encodeReply(rpc, reply) : wire;
  }

  async function call(rpc: Rpc, request: Uint8Array, options?: CallOptions): Promise<Buffer> {
    const each = readMembers[rpc];
    if (each === undefined && !ofPods.has(rpc)) return runtime.call(rpc, request, options);
    const left = countdown(rpc, options);
    const read = (): Promise<Buffer> =>
      runtime.call(rpc, request, left()).catch(async (error: unknown) => {
        if (each === undefined || !mayBeOneMembers(error)) throw error;
        return each({ runtime, request, left, onFailedMember: options?.onFailedMember, error });
      });
    return ofPods.has(rpc) && (await diesOfTwo()) ? afterOthers(read) : read();
  }

  async function diesOfTwo(): Promise<boolean> {
    const { name, version } = await identify(completed);
    return quirksOf(name, version).some(({ code }) => code === "pod_stats_one_at_a_time");
  }

  function afterOthers<T>(read: () => Promise<T>): Promise<T> {
    const turn = latest.then(read);
    latest = turn.catch(() => undefined);
    return turn;
  }

  const completed = mapReplies({ ...runtime, call }, fill);
  return completed;
}

/** List failures that a single member may have caused. */
const memberCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "runtime_error",
  "reply_too_large",
  "conflict",
  "not_found",
]);

const mayBeOneMembers = (error: unknown): error is GatewayError =>
  error instanceof GatewayError && memberCodes.has(error.code);
