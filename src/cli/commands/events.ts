/** `crest events` */
import type { EventItem } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { eventLine } from "../output/event-line.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { printJsonLines, printYaml } from "../output/listing.ts";
import { note, styled, write } from "../terminal.ts";
import { selectorOf } from "./list.ts";

export const run: Run<"events"> = async ({ flags, stdout, stderr, signal, connect }) => {
  const { crest } = await connect();
  const { output = "text" } = flags;
  const query = {
    since: flags.since,
    type: flags.type,
    namespace: flags.namespace,
    pod: flags.pod,
    container: flags.container,
    labelSelector: selectorOf(flags.label),
  };
  const print = async (event: EventItem): Promise<void> => {
    if (output !== "text") return printJsonLines([event], stdout);
    const line = eventLine(event, {
      paint: (style, text) => styled(stdout, style, text),
      ...(stdout.isTTY === true ? { today: new Date().toISOString().slice(0, 10) } : {}),
    });
    if (line !== undefined) await write(stdout, `${line}\n`);
  };
  if (flags.follow) {
    const events = crest.listEvents(
      { ...query, watch: true },
      {
        signal,
        onReconnect({ error, attempt }) {
          if (attempt === 1) void note(stderr, `Connecting again: ${error.message}`);
        },
      },
    );
    for await (const event of events) await print(event);
    return 0;
  }
  const response = await crest.request("GET", "/v1/events", { query, signal });
  if (output === "json") {
    await printJsonBody(response, stdout);
    return 0;
  }
  const list = await jsonBody<{ readonly items: readonly EventItem[] }>(response);
  if (output === "yaml") await printYaml(list, stdout);
  else for (const event of list.items) await print(event);
  return 0;
};
