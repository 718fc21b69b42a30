/**
 * The services as a caller sees them whose grant is narrowed to some pods. Its routes are compiled with these, so that
 * no handler can answer with what is out of scope: to the caller, that does not exist.
 */
import { type Caller, canUse } from "../access/authorize.ts";
import type { EventItem, EventType } from "../events/node-event.ts";
import type { NodeEvents } from "../events/node-events.ts";
import type { Grant } from "../grants.ts";
import { createInventory, type Inventory, type Kind } from "../inventory/inventory.ts";
import { withNameHints } from "../inventory/name-hints.ts";
import { createVisibility, type Visibility } from "../inventory/visibility.ts";
import type { KeptLogs } from "../logs/keeping/kept-logs.ts";
import { compose } from "../runtimes/compose.ts";
import { withVisible } from "../runtimes/visible.ts";
import type { Collector } from "../stats/collector.ts";
import { figures, type Member, type Round } from "../stats/rates.ts";
import type { Gateway } from "./gateway.ts";
import { createSingleflight } from "./singleflight.ts";

/** `grant`: what decides which pods there are. */
export function scopedGateway(gateway: Gateway, caller: Caller, grant: Grant): Gateway {
  const visibility = createVisibility(gateway.inventory, (pod) => canUse(grant, caller, pod));
  const runtime = compose(gateway.runtime, withVisible(visibility));
  const keptLogs = visibleLogs(gateway.keptLogs, visibility);
  return {
    ...gateway,
    runtime,
    keptLogs,
    inventory: visibleInventory(runtime),
    containers: gateway.containersOf(runtime, keptLogs),
    events: visibleEvents(gateway.events, visibility),
    usage: visibleUsage(gateway.usage, visibility),
    share: createSingleflight(),
    readable: (kind) => readable(gateway, caller, kind),
  };
}

/** Those whose ids the caller may know, since it may read them, though it lacks another grant for them. */
function readable(gateway: Gateway, caller: Caller, kind: Kind): Inventory {
  const grant = kind === "pod" ? "read:pods" : "read:containers";
  const visibility = createVisibility(gateway.inventory, (pod) => canUse(grant, caller, pod));
  return visibleInventory(compose(gateway.runtime, withVisible(visibility)));
}

/** An inventory that answers the same for what does not exist and for what is not seen: it looks every id up. */
function visibleInventory(runtime: Gateway["runtime"]): Inventory {
  const inventory = createInventory(runtime);
  return withNameHints(
    { ...inventory, resolve: (kind, id) => inventory.resolve(kind, id, { mustExist: true }) },
    runtime,
  );
}

function visibleLogs(kept: KeptLogs, { sees }: Visibility): KeptLogs {
  return {
    ...kept,
    select: (selection) =>
      kept
        .select(selection)
        .filter(({ owner: { namespace, pod, labels, podLabels } }) =>
          sees({ namespace, name: pod, labels: podLabels ?? labels }),
        ),
  };
}

// ---- Events ----

const imageEvents: ReadonlySet<string> = new Set<EventType>([
  "image.pulled",
  "image.tagged",
  "image.removed",
]);

/** Without those of images, which belong to the node. */
function visibleEvents(events: NodeEvents, visibility: Visibility): NodeEvents {
  /** Pods that were looked up: of removed ones, events are all that is left. */
  const known = new Map<string, boolean>();

  async function isVisible(item: EventItem): Promise<boolean> {
    if (!("podSandboxId" in item) || item.podSandboxId === undefined) return !imageEvents.has(item.type);
    const { podSandboxId: id, namespace = "", pod: name = "", labels = {} } = item;
    let isSeen = known.get(id);
    if (isSeen === undefined) {
      isSeen = await visibility.seesPod(id, { namespace, name, labels });
      if (known.size >= maxKnown) known.clear();
      known.set(id, isSeen);
    }
    return isSeen;
  }

  return {
    ...events,
    get readers() {
      return events.readers;
    },
    async read(options) {
      const items = await events.read(options);
      return (async function* () {
        for await (const item of items) if (await isVisible(item)) yield item;
      })();
    },
  };
}

const maxKnown = 10_000;

// ---- Usage ----

function visibleUsage(usage: Collector, visibility: Visibility): Collector {
  /** The pods of the newest round. */
  let seen: ReadonlySet<string> = new Set();
  const podIdOf = ({ id, podSandboxId = id }: Member): string => podSandboxId;

  async function visibleRound(round: Round): Promise<Round> {
    seen = await visibility.among("pod", [...new Set(round.members.map(podIdOf))]);
    return select(round, seen);
  }

  function select(round: Round, pods: ReadonlySet<string>): Round {
    const chosen = [...round.members.keys()].filter((index) => {
      const member = round.members[index];
      return member !== undefined && pods.has(podIdOf(member));
    });
    const width = figures.length;
    const values = new Float64Array(chosen.length * width);
    for (const [at, index] of chosen.entries())
      values.set(round.values.subarray(index * width, (index + 1) * width), at * width);
    return { time: round.time, members: chosen.flatMap((index) => round.members[index] ?? []), values };
  }

  return {
    ...usage,
    get watchers() {
      return usage.watchers;
    },
    async watch(kind, options) {
      const rounds = await usage.watch(kind, options);
      const first = usage.latest(kind);
      if (first !== undefined) await visibleRound(first);
      return (async function* () {
        for await (const round of rounds) yield await visibleRound(round);
      })();
    },
    latest(kind) {
      const round = usage.latest(kind);
      return round === undefined ? undefined : select(round, seen);
    },
  };
}
