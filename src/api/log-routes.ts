/** The handlers of the routes for logs. */
import type { Selection } from "../logs/log-selection.ts";
import type { ContainerSource } from "../logs/logged-containers.ts";
import { previousAttempt } from "../logs/previous-attempt.ts";
import { type LogLine, type OpenLogs, openLogs } from "../logs/read-logs.ts";
import type { LogItem, LogPage } from "../routes/answers.ts";
import type { StreamForm, StreamRoute } from "../routes/define.ts";
import { invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { inputOf } from "./input.ts";
import { matchesLabels, parseLabelSelector } from "./label-selector.ts";
import { ByteLimit, beginningOf, itemOf, type Origin } from "./log-item.ts";
import { type LogParameters, logsQuery } from "./log-query.ts";
import type { StreamHandler } from "./stream.ts";

type Context = RequestContext<StreamRoute>;
type LogRouteId = "getContainerLogs" | "getPodLogs" | "listLogs";

/** A line on its way to a reader: as text for those who read text, as an item for the others. */
interface Sent {
  readonly text?: string;
  readonly item?: LogItem;
}

/** What a route asks for, and what tells its lines apart. */
interface Asked {
  readonly parameters: LogParameters;
  readonly selection: Selection;
  /** Where the containers come from. */
  readonly containers: ContainerSource;
  readonly origin: Origin;
}

type Ask = (ctx: Context, gateway: Gateway) => Asked | Promise<Asked>;

const asks: { readonly [Id in LogRouteId]: Ask } = {
  async getContainerLogs({ bound }, { containers }) {
    const { containerId, previous, ...parameters } = inputOf("getContainerLogs", bound);
    const selection = { containerId };
    const source = previous ? await previousAttempt(containers, containerId) : containers;
    return { parameters, selection, containers: source, origin: "none" };
  },
  getPodLogs({ bound }, { containers }) {
    const { podSandboxId, ...parameters } = inputOf("getPodLogs", bound);
    return { parameters, selection: { podSandboxId }, containers, origin: "container" };
  },
  listLogs({ bound }, { containers }) {
    const { labelSelector, namespace, pod, container, ...parameters } = inputOf("listLogs", bound);
    const requirements = labelSelector === undefined ? [] : parseLabelSelector(labelSelector);
    const matches = (labels: { readonly [key: string]: string }): boolean =>
      matchesLabels(requirements, new Map(Object.entries(labels)));
    return { parameters, selection: { namespace, pod, container, matches }, containers, origin: "pod" };
  },
};

/** A JSON answer has no more lines, nor more bytes of text. */
const maxPageLines = 10_000;
const maxPageBytes = 8 * 1024 * 1024;

function logsHandler(id: LogRouteId): StreamHandler<LogItem, Sent> {
  const ask = asks[id];

  async function open(ctx: Context, gateway: Gateway): Promise<Opened> {
    const asked = await ask(ctx, gateway);
    const lastEventId = ctx.request.headers["last-event-id"];
    const query = await logsQuery(
      asked.parameters,
      asked.selection,
      typeof lastEventId === "string" ? lastEventId : undefined,
    );
    const { containers } = asked;
    const logs = await openLogs({ containers, roots: gateway.logRoots, query, signal: ctx.signal });
    return { ...asked, logs, batches: batchesOf(logs, asked.parameters, gateway) };
  }

  return {
    async open(ctx, gateway, form) {
      const opened = await open(ctx, gateway);
      return sentLines(opened, form);
    },
    lineOf: ({ text }) => text,
    answerOf({ item }) {
      if (item === undefined) throw new TypeError("A line without an item");
      return item;
    },
    idOf: ({ item }) => item?.cursor,
    async json(ctx, gateway) {
      const { parameters } = await ask(ctx, gateway);
      if (parameters.follow)
        throw invalid([
          {
            parameter: "follow",
            detail:
              "does not go with JSON, which ends: send Accept: application/x-ndjson, text/event-stream or text/plain, or open a WebSocket",
          },
        ]);
      return await pageOf(await open(ctx, gateway));
    },
    fileName({ bound }) {
      const { download, ...path } = { ...bound.message, ...bound.gatewayParams } as {
        readonly download?: boolean;
        readonly containerId?: string;
        readonly podSandboxId?: string;
      };
      return download ? `${path.containerId ?? path.podSandboxId ?? "containers"}.log` : undefined;
    },
  };
}

interface Opened extends Asked {
  readonly logs: OpenLogs;
  readonly batches: AsyncIterable<readonly LogLine[]>;
}

/** The lines. Counts the reader and its bytes while they are read. */
async function* batchesOf(
  logs: OpenLogs,
  { follow }: LogParameters,
  { logsObserver }: Gateway,
): AsyncGenerator<readonly LogLine[]> {
  const reader = logsObserver.readerBegan(follow);
  try {
    for await (const batch of logs.lines) {
      reader.readBytes(logs.readBytes);
      yield batch;
    }
  } finally {
    reader.readBytes(logs.readBytes);
    reader.ended();
  }
}

async function* sentLines(
  { logs, batches, parameters, origin }: Opened,
  form: StreamForm,
): AsyncGenerator<readonly Sent[]> {
  const limit = new ByteLimit(parameters);
  for await (const batch of batches) {
    const sent: Sent[] = [];
    for (const one of batch) {
      const text = limit.take(one);
      if (text === undefined) break;
      if (form === "text") sent.push({ text: `${beginningOf(one, parameters)}${text.text}` });
      else {
        logs.passed(one);
        sent.push({ item: itemOf(one, { ...text, origin, cursor: logs.cursor() ?? "" }) });
      }
    }
    yield sent;
    if (limit.isReached) return;
  }
}

async function pageOf({ logs, batches, parameters, origin }: Opened): Promise<LogPage> {
  const limit = new ByteLimit(parameters);
  const lines: LogItem[] = [];
  let bytes = 0;
  let more = false;
  reading: for await (const batch of batches) {
    for (const one of batch) {
      if (lines.length >= maxPageLines || bytes >= maxPageBytes) {
        more = true;
        break reading;
      }
      const text = limit.take(one);
      if (text === undefined) break reading;
      logs.passed(one);
      bytes += one.line.bytes.length;
      lines.push(itemOf(one, { ...text, origin, cursor: logs.cursor() ?? "" }));
    }
  }
  return { lines, cursor: logs.cursor(), more, searchedBytes: logs.readBytes };
}

export const logHandlers = {
  getContainerLogs: logsHandler("getContainerLogs"),
  getPodLogs: logsHandler("getPodLogs"),
  listLogs: logsHandler("listLogs"),
} as const;
