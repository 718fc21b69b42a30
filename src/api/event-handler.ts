/** `GET /v1/events`: what happens on the node. */
import type { AnswerOf } from "../routes/answers.ts";
import type { StreamForm, StreamRoute } from "../routes/define.ts";
import { invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import { readSince, wantedEvents } from "./event-parameters.ts";
import type { Gateway } from "./gateway.ts";
import { inputOf } from "./input.ts";
import type { StreamHandler } from "./stream.ts";

async function openEvents(
  { bound, signal, request }: RequestContext<StreamRoute>,
  { events }: Gateway,
  form: StreamForm,
): Promise<AsyncIterable<AnswerOf<"listEvents">>> {
  const { watch, since, ...query } = inputOf("listEvents", bound);
  if (watch && form === "json")
    throw invalid([
      {
        parameter: "watch",
        detail:
          "JSON is a single answer: to watch, send Accept: application/x-ndjson, text/event-stream or text/plain, or open a WebSocket",
      },
    ]);
  const lastId = request.headers["last-event-id"];
  return await events.read({
    // A browser that reconnects sends the header along with the query of its first request.
    since:
      typeof lastId === "string" && lastId !== "" ? readSince(lastId, "Last-Event-ID") : readSince(since),
    watch,
    wanted: wantedEvents(query),
    signal,
  });
}

export const listEvents: StreamHandler<AnswerOf<"listEvents">> = {
  open: openEvents,
  lineOf(item) {
    const { type, time } = item;
    if (type === "bookmark") return undefined;
    const subject = [item.namespace, item.pod, item.container, item.containerId ?? item.podSandboxId]
      .filter((part) => part !== undefined)
      .join(" ");
    const exit = item.exitCode === undefined ? "" : ` exitCode=${item.exitCode}`;
    const reason = item.reason === undefined ? "" : ` reason=${item.reason}`;
    return `${time} ${type} ${item.gap ?? (subject || (item.image ?? ""))}${exit}${reason}`.trimEnd();
  },
  idOf: (item) => item.id,
  async json(ctx, gateway) {
    const all: AnswerOf<"listEvents">[] = [];
    let lastEventId = "";
    for await (const item of await openEvents(ctx, gateway, "json")) {
      if (item.type === "bookmark") lastEventId = item.id ?? "";
      else all.push(item);
    }
    return { items: all, lastEventId };
  },
};
