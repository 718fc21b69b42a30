/**
 * The services as a caller sees them whose grant is narrowed to some pods. Its routes are compiled with these, so that
 * no handler can answer with what is out of scope: to the caller, that does not exist.
 */
import { type Caller, canUse } from "../access/authorize.ts";
import { type EventItem, isControl } from "../events/node-event.ts";
import type { NodeEvents } from "../events/node-events.ts";
import type { Grant } from "../grants.ts";
import { createInventory, type Inventory, type Kind } from "../inventory/inventory.ts";
import { withNameHints } from "../inventory/name-hints.ts";
import { isFullId } from "../inventory/references.ts";
import { createVisibility, type SeenPod, type Visibility } from "../inventory/visibility.ts";
import { tellingNoIds } from "../inventory/without-ids.ts";
import type { KeptLogs } from "../logs/keeping/kept-logs.ts";
import { compose } from "../runtimes/compose.ts";
import { withVisible } from "../runtimes/visible.ts";
import type { Collector } from "../stats/collector.ts";
import { figures, type Member, type Round } from "../stats/rates.ts";
import type { Gateway } from "./gateway.ts";
import { createSingleflight } from "./singleflight.ts";

/** `grant`: what decides which pods there are. */
export function scopedGateway(gateway: Gateway, caller: Caller, grant: Grant): Gateway {
  const visibility = visibilityOf(gateway, caller, grant);
  const runtime = compose(gateway.runtime, withVisible(visibility));
  const keptLogs = visibleLogs(gateway.keptLogs, visibility);
  const events = visibleEvents(gateway.events, visibility);
  return {
    ...gateway,
    ...{ runtime, keptLogs, events },
    inventory: visibleInventory(runtime, visibility),
    containers: gateway.containersOf({ runtime, kept: keptLogs, changes: events }),
    usage: visibleUsage(gateway.usage, visibility),
    share: createSingleflight(),
    readable: (kind) => readable(gateway, caller, kind),
  };
}

const visibilityOf = ({ inventory, events }: Gateway, caller: Caller, grant: Grant): Visibility =>
  createVisibility({ inventory, removed: events, sees: (pod) => canUse(grant, caller, pod) });

/** Those whose ids the caller may know, since it may read them, though it lacks another grant for them. */
function readable(gateway: Gateway, caller: Caller, kind: Kind): Inventory {
  const visibility = visibilityOf(gateway, caller, kind === "pod" ? "read:pods" : "read:containers");
  return visibleInventory(compose(gateway.runtime, withVisible(visibility)), visibility);
}

/**
 * An inventory that answers the same for what does not exist and for what is not seen: it looks every id and name up. A removed
 * one is found where nothing requires that it exists.
 */
function visibleInventory(runtime: Gateway["runtime"], { among }: Visibility): Inventory {
  const inventory = createInventory(runtime);
  return withNameHints(
    {
      ...inventory,
      async resolve(kind, text, { mustExist = false, ...options } = {}) {
        if (!mustExist && isFullId(text) && (await among(kind, [text])).has(text)) return text;
        return await inventory.resolve(kind, text, { ...options, mustExist: true });
      },
    },
    runtime,
  );
}

function visibleLogs(kept: KeptLogs, { sees }: Visibility): KeptLogs {
  return {
    ...kept,
    select: (selection) =>
      kept
        .select(selection)
        .filter(({ owner: { namespace, pod: name, podLabels: labels } }) =>
          seesKnown(sees, { namespace, name, labels }),
        ),
  };
}

/** Without those of images, which belong to the node. */
function visibleEvents(events: NodeEvents, visibility: Visibility): NodeEvents {
  /** Undefined if events did not tell of this pod. */
  const seesPod = (id: string): boolean | undefined => {
    const pod = events.podOf("pod", id);
    return pod && visibility.sees(pod);
  };

  async function isVisible(item: EventItem): Promise<boolean> {
    if (isControl(item)) return true;
    const { podSandboxId: id } = item;
    if (id === undefined) return false;
    return seesPod(id) ?? (await visibility.among("pod", [id])).has(id);
  }

  return {
    ...events,
    get readers() {
      return events.readers;
    },
    async read(options) {
      const items = await tellingNoIds(events.read(options));
      return (async function* () {
        for await (const item of items) if (await isVisible(item)) yield item;
      })();
    },
    onChange: ({ changed, ...options }) =>
      events.onChange({
        ...options,
        changed(change) {
          if (seesPod(change.event?.podSandboxId ?? "") !== false) changed(change);
        },
      }),
  };
}

function visibleUsage(usage: Collector, { sees }: Visibility): Collector {
  const isVisible = ({ namespace, name, pod = name, podLabels: labels }: Member): boolean =>
    seesKnown(sees, { namespace, name: pod, labels });

  function visibleRound({ time, members, values }: Round): Round {
    const width = figures.length;
    const chosen = [...members.entries()].filter(([, member]) => isVisible(member));
    const visible = new Float64Array(chosen.length * width);
    for (const [at, [index]] of chosen.entries())
      visible.set(values.subarray(index * width, (index + 1) * width), at * width);
    return { time, members: chosen.map(([, member]) => member), values: visible };
  }

  return {
    ...usage,
    get watchers() {
      return usage.watchers;
    },
    async watch(kind, options) {
      const rounds = await tellingNoIds(usage.watch(kind, options));
      return (async function* () {
        for await (const round of rounds) yield visibleRound(round);
      })();
    },
    latest(kind) {
      const round = usage.latest(kind);
      return round && visibleRound(round);
    },
  };
}

/** Nobody sees a pod whose labels are not known: a denial may name one of them. */
const seesKnown = (
  sees: Visibility["sees"],
  { labels, ...pod }: Omit<SeenPod, "labels"> & { readonly labels: SeenPod["labels"] | undefined },
): boolean => labels !== undefined && sees({ ...pod, labels });
