/** Events for people. */
import type { EventItem } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import type { Style } from "../terminal.ts";
import { imageName } from "./image-name.ts";
import { shortId } from "./short-ids.ts";

/** As long as the longest name of a type that is common. */
const typeWidth = 17;

const styles: { readonly [type: string]: Style } = {
  "container.oom": "red",
  "container.started": "green",
  "pod.ready": "green",
  resync: "yellow",
  gap: "yellow",
};

export const eventStyle = ({ type, exitCode = 0 }: EventItem): Style | undefined =>
  type === "container.exited" && exitCode !== 0 ? "red" : styles[type];

export interface EventLineOptions {
  /** Adds a style to a text. Default: none is added. */
  readonly paint?: (style: Style, text: string) => string;
  /** Times of this day (UTC) are without the date, and none have fractions: for narrow terminals. Default: whole times. */
  readonly today?: string;
}

/** `2026-11-29T17:02:50.435Z  container.exited   default/db/postgres  3429b7e32cd93  code 3, Error`; undefined for marks. */
export function eventLine(
  event: EventItem,
  { paint = (_style, text) => text, today }: EventLineOptions = {},
): string | undefined {
  if (event.type === "bookmark") return undefined;
  const style = eventStyle(event);
  const type = printable(event.type).padEnd(typeWidth);
  const texts = [subjectOf(event), idOf(event), detailOf(event)].filter((text) => text !== "");
  const time = today === undefined ? event.time : shortTime(event.time, today);
  return [printable(time), style === undefined ? type : paint(style, type), ...texts.map(printable)]
    .join("  ")
    .trimEnd();
}

const shortTime = (time: string, today: string): string =>
  time.replace(/\.\d+Z$/, "Z").replace(`${today}T`, "");

function subjectOf({ namespace, pod, container, image, type }: EventItem): string {
  if (type.startsWith("image.")) return imageName(image ?? "");
  return [namespace, pod, container].filter((name) => name !== undefined).join("/");
}

const idOf = ({ containerId, podSandboxId, imageId }: EventItem): string =>
  shortId(containerId ?? podSandboxId ?? imageId ?? "");

function detailOf(event: EventItem): string {
  const { type, exitCode, reason, signal, message, image, execId, oom, amends, gap } = event;
  if (type === "resync") return "events may be missing before this";
  if (type === "gap") return `${gap} events are missing`;
  const hasImage = type === "container.created" || type === "container.started";
  return [
    exitCode === undefined ? "" : `code ${exitCode}`,
    signal ?? "",
    reason ?? "",
    oom === true && reason !== "OOMKilled" ? "out of memory" : "",
    message ?? "",
    hasImage ? imageName(image ?? "") : "",
    execId === undefined ? "" : `exec ${execId}`,
    amends === undefined ? "" : "more details",
  ]
    .filter((text) => text !== "")
    .join(", ");
}
