/** The handlers of the routes that watch what pods and containers use. */
import { GatewayError } from "../errors.ts";
import type { Kind } from "../inventory/inventory.ts";
import type { AnswerOf } from "../routes/answers.ts";
import { historyMs } from "../stats/history.ts";
import { nodeSize } from "../stats/node-size.ts";
import { figuresOf, type Member, type Round } from "../stats/rates.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { resolveFilters } from "./id-filters.ts";
import { inputOf } from "./input.ts";
import { matchesLabels, parseLabelSelector } from "./label-selector.ts";
import type { StreamHandler } from "./stream.ts";
import { durationParameter } from "./time-parameters.ts";
import { usageLine } from "./usage-line.ts";

type LiveUsage = AnswerOf<"watchOneContainerStats">;
type LiveUsages = AnswerOf<"watchContainerStats">;

export const usageHandlers = {
  watchContainerStats: {
    async open(ctx, gateway, form) {
      const input = inputOf("watchContainerStats", ctx.bound);
      const filter = input.pod === undefined ? {} : { podSandboxId: input.pod };
      await resolveFilters(gateway.inventory, "container", filter);
      const isWanted = wantedBy(input);
      return everyRound(
        ctx,
        gateway,
        { kind: "container", input, form },
        (member) =>
          isWanted(member) &&
          (filter.podSandboxId === undefined || member.podSandboxId === filter.podSandboxId),
      );
    },
    lineOf: linesOf,
  },
  watchPodStats: {
    open(ctx, gateway, form) {
      const input = inputOf("watchPodStats", ctx.bound);
      return everyRound(ctx, gateway, { kind: "pod", input, form }, wantedBy(input));
    },
    lineOf: linesOf,
  },
  watchOneContainerStats: {
    open(ctx, gateway, form) {
      const input = inputOf("watchOneContainerStats", ctx.bound);
      return ofOne(ctx, gateway, { kind: "container", input, form }, input.containerId);
    },
    lineOf: usageLine,
  },
  watchOnePodStats: {
    open(ctx, gateway, form) {
      const input = inputOf("watchOnePodStats", ctx.bound);
      return ofOne(ctx, gateway, { kind: "pod", input, form }, input.podSandboxId);
    },
    lineOf: usageLine,
  },
} as const satisfies {
  readonly watchContainerStats: StreamHandler<LiveUsages>;
  readonly watchPodStats: StreamHandler<LiveUsages>;
  readonly watchOneContainerStats: StreamHandler<LiveUsage>;
  readonly watchOnePodStats: StreamHandler<LiveUsage>;
};

interface Asked {
  readonly kind: Kind;
  readonly input: { readonly interval: string; readonly history: string };
  readonly form: string;
}

type Wants = (member: Member) => boolean;

/** A list, round by round. */
async function everyRound(
  ctx: RequestContext,
  { usage }: Gateway,
  asked: Asked,
  wants: Wants,
): Promise<AsyncIterable<LiveUsages>> {
  const rounds = await usage.watch(asked.kind, { ...paceOf(asked.input), signal: ctx.signal });
  return (async function* () {
    let count = 0;
    for await (const round of rounds) {
      yield { time: timeOf(round), items: itemsOf(round, wants) };
      count++;
      if (asked.form === "json" && count > 1) return;
    }
  })();
}

/** One pod or container, until it has ended. @throws {GatewayError} `not_found`; when it does not run. */
async function ofOne(
  ctx: RequestContext,
  { usage, inventory }: Gateway,
  { kind, input, form }: Asked,
  id: string,
): Promise<AsyncIterable<LiveUsage>> {
  await inventory.resolve(kind, id, { mustExist: true });
  const leaving = new AbortController();
  const signal = AbortSignal.any([ctx.signal, leaving.signal]);
  const watched = await usage.watch(kind, { ...paceOf(input), signal });
  const opened = usage.latest(kind);
  const wants: Wants = (member) => member.id === id;
  if (opened === undefined || !opened.members.some(wants)) {
    leaving.abort();
    throw notRunning(kind, id);
  }
  return (async function* () {
    let count = 0;
    for await (const round of watched) {
      const [item] = itemsOf(round, wants);
      // In the past it may not have been there yet.
      if (item === undefined && round.time > opened.time) return;
      if (item === undefined) continue;
      yield item;
      count++;
      if (form === "json" && count > 1) return;
    }
  })();
}

function notRunning(kind: Kind, id: string): GatewayError {
  return kind === "pod"
    ? new GatewayError("pod_not_ready", `Cannot watch pod "${id}": it is not ready, and uses nothing`)
    : new GatewayError("not_running", `Cannot watch container "${id}": it does not run, and uses nothing`);
}

function wantedBy(input: {
  readonly name?: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
}): Wants {
  const { name, namespace, labelSelector } = input;
  const requirements = labelSelector === undefined ? [] : parseLabelSelector(labelSelector);
  return (member) =>
    (name === undefined || member.name === name) &&
    (namespace === undefined || member.namespace === namespace) &&
    (requirements.length === 0 || matchesLabels(requirements, new Map(Object.entries(member.labels))));
}

const shortestMs = 1000;
const longestMs = 60_000;

function paceOf(input: Asked["input"]): { readonly intervalMs: number; readonly historyMs: number } {
  return {
    intervalMs: durationParameter("interval", input.interval, shortestMs, longestMs),
    historyMs: durationParameter("history", input.history, 0, historyMs),
  };
}

const timeOf = ({ time }: Round): string => new Date(time * 1000).toISOString();

function itemsOf(round: Round, wants: Wants): LiveUsage[] {
  const time = timeOf(round);
  const items: LiveUsage[] = [];
  for (const [index, member] of round.members.entries())
    if (wants(member)) items.push(itemOf(time, member, figuresOf(round, index)));
  return items;
}

function itemOf(time: string, member: Member, figures: ReturnType<typeof figuresOf>): LiveUsage {
  const { id, name, namespace, pod, podSandboxId } = member;
  const { cores, coresLimit, workingSetBytes, memoryLimitBytes } = figures;
  const { cores: nodeCores, memoryBytes } = nodeSize();
  return {
    ...{ time, id, name, namespace },
    ...(pod === undefined || podSandboxId === undefined ? {} : { pod, podSandboxId }),
    cores: rounded(cores, 4),
    coresLimit: rounded(coresLimit, 4),
    cpuPercentOfLimit: rounded((cores / coresLimit) * 100, 2),
    cpuPercentOfNode: rounded((cores / nodeCores) * 100, 2),
    workingSetBytes: rounded(workingSetBytes),
    memoryUsageBytes: rounded(figures.memoryUsageBytes),
    memoryLimitBytes: rounded(memoryLimitBytes),
    memoryPercentOfLimit: rounded((workingSetBytes / memoryLimitBytes) * 100, 2),
    memoryPercentOfNode: rounded((workingSetBytes / memoryBytes) * 100, 2),
    receivedBytesPerSecond: rounded(figures.receivedBytesPerSecond),
    sentBytesPerSecond: rounded(figures.sentBytesPerSecond),
    readBytesPerSecond: rounded(figures.readBytesPerSecond),
    writtenBytesPerSecond: rounded(figures.writtenBytesPerSecond),
    filesystemUsedBytes: rounded(figures.filesystemUsedBytes),
  };
}

/** Null for what is not known. */
function rounded(value: number, digits = 0): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
}

function linesOf({ time, items }: LiveUsages): string {
  return items.length === 0 ? time : items.map(usageLine).join("\n");
}
