/** `GET /v1/events`: what happens on the node. */
import type { AnswerOf } from "../routes/answers.ts";
import { invalid } from "./bind.ts";
import { readSince, wantedEvents } from "./event-parameters.ts";
import { inputOf } from "./input.ts";
import type { StreamHandler } from "./stream.ts";

export const listEvents: StreamHandler<AnswerOf<"listEvents">> = {
  async open({ bound, signal, request }, { events }, form) {
    const { watch, since, ...query } = inputOf("listEvents", bound);
    if (watch && form === "json")
      throw invalid([
        {
          parameter: "watch",
          detail:
            "JSON is a single answer: to watch, send Accept: application/x-ndjson or text/event-stream, or open a WebSocket",
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
  },
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
  async collect(items) {
    const all: AnswerOf<"listEvents">[] = [];
    let lastEventId = "";
    for await (const item of items) {
      if (item.type === "bookmark") lastEventId = item.id ?? "";
      else all.push(item);
    }
    return { items: all, lastEventId };
  },
};
