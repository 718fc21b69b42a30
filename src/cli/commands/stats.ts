/** `crest stats` and `crest top` */
import type { CrestError, LiveUsage, LiveUsages } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { CommandContext, Connection, Run } from "../context.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { type ListingFlags, printJsonLines, printListing, printTable, printYaml } from "../output/listing.ts";
import { columnsOf } from "../stats/columns.ts";
import { fullName, type OrderName, sorted } from "../stats/order.ts";
import { readings, type Selection } from "../stats/readings.ts";
import { note, write } from "../terminal.ts";
import { checkName } from "./each.ts";
import { selectorOf } from "./list.ts";

type Name = "stats" | "top";
type Crest = Connection["crest"];

/** A single reading needs two measurements, so far apart. */
const singleInterval = "1s";
const liveInterval = "2s";

export const run: Run<Name> = async (ctx) => {
  const { flags, operands, stdout } = ctx;
  for (const operand of operands) checkName(operand);
  const named = ["name", "namespace", "pod", "label"].find((name) =>
    isWritten(flags[name as keyof typeof flags]),
  );
  if (operands.length > 0 && named !== undefined)
    throw new StartError(`--${named} and ${operands[0]}: write one or the other`);
  if (flags.pods && flags.pod !== undefined)
    throw new StartError("--pod: selects containers, so leave out --pod or --pods");
  const isTable = flags.output === undefined || flags.output === "table" || flags.output === "wide";
  const isLive = stdout.isTTY === true && isTable && !flags["no-stream"] && !flags.quiet;
  const isWatching = isLive || flags.watch;
  const selection: Selection = {
    pods: flags.pods,
    only: operands,
    query: {
      interval: flags.interval ?? (isWatching ? liveInterval : singleInterval),
      name: flags.name,
      namespace: flags.namespace,
      labelSelector: selectorOf(flags.label),
      pod: flags.pod,
    },
  };
  const { crest } = await ctx.connect();
  if (isLive) return live(ctx, crest, selection);
  if (flags.watch) return follow(ctx, crest, selection);
  return single(ctx, crest, selection);
};

const isWritten = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined;

const orderOf = ({ sort }: { readonly sort: string | undefined }): OrderName =>
  (sort as OrderName | undefined) ?? "cpu";

/** Until `q`, Ctrl-C, or the end of what is wanted. */
async function live(ctx: CommandContext<Name>, crest: Crest, selection: Selection): Promise<number> {
  const { openLiveTable } = await import("../stats/live-table.ts");
  const { flags } = ctx;
  const leave = new AbortController();
  const signal = AbortSignal.any([ctx.signal, leave.signal]);
  let exitCode: number | undefined;
  // The request is sent, or shown, before the terminal changes.
  const source = readings(crest, selection, {
    signal,
    onReconnect: ({ error }) => table?.tell(`Connecting again: ${error.message}`),
  })[Symbol.asyncIterator]();
  let table: ReturnType<typeof openLiveTable> | undefined;
  try {
    for (let next = await source.next(); !next.done; next = await source.next()) {
      table ??= openLiveTable(
        ctx,
        {
          pods: selection.pods,
          isWide: flags.output === "wide",
          isWhole: flags["no-trunc"],
          order: orderOf(flags),
        },
        (code) => {
          exitCode = code;
          leave.abort(new Error("The person has left"));
        },
      );
      table.show(next.value);
    }
    return 0;
  } catch (error) {
    if (exitCode !== undefined) return exitCode;
    throw error;
  } finally {
    await source.return?.(undefined);
    table?.close();
  }
}

/** A reading after the other, also without a terminal. */
async function follow(
  { flags, stdout, stderr, signal }: CommandContext<Name>,
  crest: Crest,
  selection: Selection,
): Promise<number> {
  const options = {
    signal,
    onReconnect({ error, attempt }: { readonly error: CrestError; readonly attempt: number }) {
      if (attempt === 1) void note(stderr, `Connecting again: ${error.message}`);
    },
  };
  let isFirst = true;
  for await (const reading of readings(crest, selection, options)) {
    const items = sorted(reading.items, orderOf(flags));
    if (flags.output === "json") await printJsonLines([reading], stdout);
    else if (flags.output === "jsonl") await printJsonLines(items, stdout);
    else if (flags.output === "yaml") await write(stdout, "---\n").then(() => printYaml(reading, stdout));
    else {
      if (!isFirst) await write(stdout, "\n");
      await printTable(stdout, flags, tableOf(selection, items, flags), items);
    }
    isFirst = false;
  }
  return 0;
}

const tableOf = ({ pods }: Selection, items: readonly LiveUsage[], flags: ListingFlags) =>
  columnsOf(items, { pods, isWhole: flags["no-trunc"] });

/** One reading. */
async function single(
  { flags, stdout, signal }: CommandContext<Name>,
  crest: Crest,
  selection: Selection,
): Promise<number> {
  const { pods, only, query } = selection;
  const collection = pods ? "pods" : "containers";
  const ask = (path: `/${string}`) => crest.request("GET", path, { query, signal });
  const pathOf = (name: string) => `/v1/${collection}/${encodeURIComponent(name)}/stats/watch` as const;
  const [first, ...others] = only;
  if (flags.output === "json" && others.length === 0 && !flags.quiet) {
    await printJsonBody(
      await ask(first === undefined ? `/v1/stats/${collection}/watch` : pathOf(first)),
      stdout,
    );
    return 0;
  }
  const answer =
    first === undefined
      ? await jsonBody<LiveUsages>(await ask(`/v1/stats/${collection}/watch`))
      : await Promise.all(only.map(async (name) => jsonBody<LiveUsage>(await ask(pathOf(name)))));
  const items = sorted("items" in answer ? answer.items : answer, orderOf(flags));
  await printListing(stdout, flags, {
    answer,
    items,
    ids: items.map(({ id }) => id),
    names: items.map(fullName),
    rows: items,
    columns: tableOf(selection, items, flags),
  });
  return 0;
}
