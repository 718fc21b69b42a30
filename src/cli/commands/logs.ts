/** `crest logs` */
import type { Client, Items, LogItem, LogPage, StreamOptions } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import type { CommandContext, Run } from "../context.ts";
import { optionalNumber } from "../numbers.ts";
import { createLineWriter } from "../output/line-writer.ts";
import { mergeByTime } from "../output/merge-by-time.ts";
import { sourceColours } from "../output/source-colours.ts";
import { isShownInstead, tellFailure } from "../tell-failure.ts";
import { note, styled, write } from "../terminal.ts";
import { checkName } from "./each.ts";

type Context = CommandContext<"logs">;

interface Origin {
  readonly pod?: string | undefined;
  readonly container?: string | undefined;
}

/** One request of logs: a container, or several that the gateway merges. */
interface Source {
  /** Its path, for `--show-curl`. */
  readonly path: `/${string}`;
  /** Where a line comes from. */
  origin(item: LogItem): Origin;
  items(options: StreamOptions): Items<LogItem, LogPage>;
}

export const run: Run<"logs"> = async (ctx) => {
  const { flags, operands, stdout } = ctx;
  checkFlags(ctx);
  const query = queryOf(flags);
  const { crest } = await ctx.connect();
  const sources = await sourcesOf(ctx, crest, query);
  if (flags["show-curl"]) {
    for (const { path } of sources) await showText(ctx, crest, path, query);
    return 0;
  }
  if (flags.output === "json") {
    for (const source of sources) {
      const page = await source.items({ signal: ctx.signal }).answer();
      await write(stdout, `${JSON.stringify(page, undefined, 2)}\n`);
    }
    return 0;
  }
  const isPrefixed = !flags["no-prefix"] && (flags.prefix || operands.length !== 1);
  return printAll(ctx, sources, isPrefixed);
};

/** @throws {StartError} */
function checkFlags({ flags, operands }: Context): void {
  const isSelection = [flags.pod, flags.selector, flags.namespace].some((one) => one !== undefined);
  if (isSelection === operands.length > 0)
    throw new StartError(
      "crest logs: name containers, or write --pod, --selector or --namespace, and not both",
    );
  if (flags.previous && isSelection) throw new StartError("--previous: only for containers that are named");
  if (flags.output === "json" && (flags.follow || operands.length > 1))
    throw new StartError("--output=json: one page of one log, write --output=jsonl for others");
  if (flags.prefix && flags["no-prefix"]) throw new StartError("--prefix and --no-prefix: write one of them");
}

type Level = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

const queryOf = (flags: Context["flags"]) => ({
  follow: flags.follow || undefined,
  tailLines: optionalNumber("--tail", flags.tail),
  limitBytes: optionalNumber("--limit-bytes", flags["limit-bytes"]),
  since: flags.since,
  until: flags.until,
  // The declaration has the same values.
  stream: flags.stream as "stdout" | "stderr" | undefined,
  grep: flags.grep,
  regex: flags.regex,
  before: optionalNumber("--before", flags.before),
  after: optionalNumber("--after", flags.after),
  level: flags.level as Level | undefined,
  cursor: flags.cursor,
});

async function sourcesOf(
  { flags, operands, signal }: Context,
  crest: Client,
  query: ReturnType<typeof queryOf>,
): Promise<readonly Source[]> {
  const { pod, namespace, selector: labelSelector } = flags;
  const needsNames =
    !flags["show-curl"] &&
    !flags["no-prefix"] &&
    (operands.length !== 1 || flags.prefix || flags.output === "jsonl");
  if (pod !== undefined && labelSelector === undefined && namespace === undefined) {
    const podSandboxId = checkName(pod);
    const name = needsNames ? await podNameOf(crest, podSandboxId, signal) : pod;
    return [
      {
        path: `/v1/pods/${encodeURIComponent(pod)}/logs`,
        origin: ({ container }) => ({ pod: name, container }),
        items: (options) => crest.getPodLogs({ podSandboxId, ...query }, options),
      },
    ];
  }
  if (operands.length === 0)
    return [
      {
        path: "/v1/logs",
        origin: (item) => ({ pod: item.pod, container: item.container }),
        items: (options) => crest.listLogs({ pod, namespace, labelSelector, ...query }, options),
      },
    ];
  return Promise.all(
    [...new Set(operands)].map(async (operand): Promise<Source> => {
      const containerId = checkName(operand);
      const names = needsNames ? await namesOf(crest, containerId, signal) : { container: operand };
      const previous = flags.previous || undefined;
      return {
        path: `/v1/containers/${encodeURIComponent(operand)}/logs`,
        origin: () => names,
        items: (options) => crest.getContainerLogs({ containerId, previous, ...query }, options),
      };
    }),
  );
}

/** The names of a container and its pod; what was typed if they cannot be found out. */
async function namesOf(crest: Client, containerId: string, signal: AbortSignal): Promise<Origin> {
  const typed = containerId.split("/");
  if (typed.length > 1) return { pod: typed.at(-2), container: typed.at(-1) };
  try {
    const { status } = await crest.getContainer({ containerId }, { signal });
    const { containers } = await crest.listContainers({ id: status.id }, { signal }).page();
    const podSandboxId = containers[0]?.podSandboxId;
    const pod = podSandboxId === undefined ? undefined : await podNameOf(crest, podSandboxId, signal);
    return { pod, container: status.metadata?.name ?? containerId };
  } catch {
    signal.throwIfAborted();
    return { container: containerId };
  }
}

/** The name of a pod; what was typed if that cannot be found out. */
async function podNameOf(crest: Client, podSandboxId: string, signal: AbortSignal): Promise<string> {
  try {
    const { status } = await crest.getPod({ podSandboxId }, { signal });
    return status.metadata?.name ?? podSandboxId;
  } catch {
    signal.throwIfAborted();
    return podSandboxId;
  }
}

const labelOf = ({ pod, container }: Origin): string => [pod, container].filter(Boolean).join("/");

/** As text, which is what a person wants of curl. */
async function showText(
  { flags }: Context,
  crest: Client,
  path: `/${string}`,
  query: ReturnType<typeof queryOf>,
): Promise<void> {
  const { pod, namespace, selector: labelSelector, previous, timestamps, prefix } = flags;
  const selection = path === "/v1/logs" ? { pod, namespace, labelSelector } : {};
  const switches = Object.fromEntries(
    Object.entries({ previous, timestamps, prefix }).filter(([, isOn]) => isOn),
  );
  try {
    await crest.request("GET", path, {
      query: { ...selection, ...query, ...switches },
      headers: { accept: flags.output === "jsonl" ? "application/x-ndjson" : "text/plain" },
    });
  } catch (error) {
    if (!isShownInstead(error)) throw error;
  }
}

/** Returns the exit code. */
async function printAll(ctx: Context, sources: readonly Source[], isPrefixed: boolean): Promise<number> {
  const { flags, stdout, stderr, signal } = ctx;
  const writer = createLineWriter(ctx);
  const colourOf = sourceColours();
  const isJson = flags.output === "jsonl";
  const options: StreamOptions = {
    signal,
    onReconnect: ({ error, attempt }) => {
      if (attempt === 1 && stderr.isTTY) void note(stderr, `${error.message}. Trying again`);
    },
  };
  let code = 0;

  async function print(source: Source, item: LogItem): Promise<void> {
    if (isJson) {
      const whole = sources.length > 1 ? { ...item, ...source.origin(item) } : item;
      await writer.write(stdout, `${JSON.stringify(whole)}\n`);
      return;
    }
    const output = item.stream === "stderr" ? stderr : stdout;
    const label = isPrefixed ? labelOf(source.origin(item)) : "";
    const prefix = isPrefixed ? `${styled(output, colourOf(label), `${printable(label)} |`)} ` : "";
    const time = flags.timestamps && item.time !== undefined ? `${item.time} ` : "";
    if (item.base64 === undefined) await writer.write(output, `${prefix}${time}${item.text}\n`);
    else {
      const bytes = Buffer.from(item.base64, "base64");
      await writer.write(output, Buffer.concat([Buffer.from(prefix + time), bytes, Buffer.from("\n")]));
    }
  }

  function failed(error: unknown): void {
    if (signal.aborted) throw signal.reason;
    tellFailure(ctx, error);
    code = 1;
  }

  /** Followed logs are printed as they come. */
  async function follow(source: Source): Promise<void> {
    try {
      for await (const item of source.items(options)) await print(source, item);
    } catch (error) {
      failed(error);
    }
  }

  if (flags.follow || sources.length === 1) await Promise.all(sources.map(follow));
  else
    for await (const { from, item } of mergeByTime(sources, (source) => source.items(options), failed))
      await print(from, item);
  await writer.end();
  return code;
}
