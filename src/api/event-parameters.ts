/** The query of the events route: where to begin, and which events are wanted. */
import type { EventItem } from "../events/node-event.ts";
import { eventTypes } from "../events/node-event.ts";
import { toMs } from "../logs/log-time.ts";
import { invalid } from "./bind.ts";
import { matchesLabels, parseLabelSelector } from "./label-selector.ts";
import { timeParameter } from "./time-parameters.ts";

export interface EventQuery {
  readonly type?: string | undefined;
  readonly namespace?: string | undefined;
  readonly pod?: string | undefined;
  readonly container?: string | undefined;
  readonly labelSelector?: string | undefined;
}

const groups = [...new Set(eventTypes.map((type) => type.slice(0, type.indexOf("."))))];
const known: ReadonlySet<string> = new Set([...eventTypes, ...groups]);
const idPrefix = /^[0-9a-f]{4,64}$/;

/**
 * Selects the events that match all conditions. Bookmarks, resyncs and gaps always match.
 *
 * @throws {GatewayError} `invalid_request`
 */
export function wantedEvents({
  type,
  namespace,
  pod,
  container,
  labelSelector,
}: EventQuery): (item: EventItem) => boolean {
  const types = type === undefined ? undefined : typesOf(type);
  const requirements = labelSelector === undefined ? [] : parseLabelSelector(labelSelector);
  const isNamed = (wanted: string | undefined, name: string | undefined, id: string | undefined): boolean =>
    wanted === undefined || wanted === name || (idPrefix.test(wanted) && id?.startsWith(wanted) === true);
  return (item) => {
    if (item.type === "bookmark" || item.type === "resync" || item.type === "gap") return true;
    if (
      types !== undefined &&
      !types.has(item.type) &&
      !types.has(item.type.slice(0, item.type.indexOf(".")))
    )
      return false;
    if (namespace !== undefined && item.namespace !== namespace) return false;
    if (!isNamed(pod, item.pod, item.podSandboxId)) return false;
    if (!isNamed(container, item.container, item.containerId)) return false;
    return (
      requirements.length === 0 || matchesLabels(requirements, new Map(Object.entries(item.labels ?? {})))
    );
  };
}

function typesOf(text: string): ReadonlySet<string> {
  const types = text.split(",").map((type) => type.trim());
  const wrong = types.find((type) => !known.has(type));
  if (wrong === undefined) return new Set(types);
  const all = [...groups, ...eventTypes].join(", ");
  throw invalid([
    { parameter: "type", detail: `"${wrong}" is no type of event: use some of ${all}, separated by commas` },
  ]);
}

const eventId = /^[0-9a-f]{8}\.[0-9]{1,15}$/;

/** Reads where to begin: the id of an event, a time, or how long ago. @throws {GatewayError} `invalid_request` */
export function readSince(
  text: string | undefined,
  parameter = "since",
): { readonly id: string } | { readonly time: number } | undefined {
  if (text === undefined) return undefined;
  if (eventId.test(text)) return { id: text };
  return { time: toMs(timeParameter(parameter, text, Date.now(), "the id of an event, ")) };
}
