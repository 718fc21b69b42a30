import type { Goal } from "../report/goals.ts";
import { median, percentile, ratio, type Spread } from "../report/statistics.ts";
import { mebibytes, number, percent, range, table } from "../report/table.ts";
import type { Turn } from "./measure.ts";
import type { Processes, Scenario, Side, SideName } from "./sides.ts";

export type Results = ReadonlyMap<Side, readonly Turn[]>;

export function titleOf({ read, containers, clients }: Scenario): string {
  const what = read === "list" ? `list of ${containers}` : "status";
  return `${what}, ${clients} client${clients === 1 ? "" : "s"}`;
}

/** A scenario's results: the rates and what they are of the naive gateway's and the direct client's. */
export function scenarioTable(scenario: Scenario, results: Results): string {
  const head = [
    "",
    "reads/s",
    "times naive",
    "times direct",
    "p50 ms",
    "p99 ms",
    "CPU ms",
    "of naive",
    "busy*",
  ];
  const rows = [...results].map(([{ name }, turns]) => {
    const latencies = turns.flatMap(({ latenciesMs }) => latenciesMs);
    const busy = (of: keyof Turn["busy"]): string => percent(median(turns.map((turn) => turn.busy[of])));
    const others = name === "direct grpc-js" ? [busy("runtime")] : [busy("runtime"), busy("load")];
    return [
      name,
      number(median(rates(turns))),
      range(ratio(rates(turns), ratesOf(results, "naive gateway"))),
      range(ratio(rates(turns), ratesOf(results, "direct grpc-js"))),
      number(percentile(latencies, 0.5)),
      number(percentile(latencies, 0.99)),
      number(median(cpu(turns))),
      range(ratio(cpu(turns), cpu(turnsOf(results, "naive gateway")))),
      [busy("server"), ...others].join(" "),
    ];
  });
  return `reads: ${titleOf(scenario)}\n${table(head, rows)}`;
}

export const legend =
  "  * share of a core: the server's, the runtime's, the load generator's; the direct client is server and load in one\n";

/** What is worked for in this scenario, with its results. */
export function goalsOf(scenario: Scenario, results: Results): readonly Goal[] {
  const goals: Goal[] = [];
  const naive = ratesOf(results, "naive gateway");
  const { read, containers, clients } = scenario;
  const title = titleOf(scenario);
  if (read === "list" && containers >= 100) {
    const measured = ratio(ratesOf(results, "crest"), naive);
    goals.push({ about: `${title}, not shared: reads/s, times naive`, wanted: { atLeast: 1.5 }, measured });
    if (clients > 1) {
      const shared = ratio(ratesOf(results, "crest, shared"), naive);
      goals.push({
        about: `${title}, shared: reads/s, times naive`,
        wanted: { atLeast: 10 },
        measured: shared,
      });
    }
  }
  if (clients === 1 && (read === "status" || containers === 1)) {
    goals.push({
      about: `${title}: p50, times direct`,
      wanted: { atMost: 1.3 },
      measured: medianLatencies(results),
    });
  }
  return goals;
}

function medianLatencies(results: Results): Spread {
  const p50 = (name: SideName): number[] =>
    turnsOf(results, name).map(({ latenciesMs }) => median(latenciesMs));
  return ratio(p50("crest"), p50("direct grpc-js"));
}

const rates = (turns: readonly Turn[]): number[] => turns.map(({ perSecond }) => perSecond);
const cpu = (turns: readonly Turn[]): number[] => turns.map(({ cpuMs }) => cpuMs);
const ratesOf = (results: Results, name: SideName): number[] => rates(turnsOf(results, name));

function turnsOf(results: Results, name: SideName): readonly Turn[] {
  for (const [side, turns] of results) if (side.name === name) return turns;
  return [];
}

/** What the servers hold after all reads. */
export async function memoryTable({ crest, naive, floor }: Processes): Promise<string> {
  const rows = await Promise.all(
    [crest, naive, floor].map(async ({ name, child }) => {
      const { rssBytes, peakRssBytes } = await child.ask("usage");
      return [name, mebibytes(rssBytes), mebibytes(peakRssBytes)];
    }),
  );
  return `reads: memory after them\n${table(["", "RSS, MiB", "peak, MiB"], rows)}`;
}
