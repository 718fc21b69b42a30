/** The same reads of gateways that are started with different flags, side by side. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { idOf } from "./population.ts";
import { startChild } from "./process/child.ts";
import { measure, type Turn } from "./reads/measure.ts";
import type { Side } from "./reads/sides.ts";
import type { Spread } from "./report/statistics.ts";
import { median, percentile, ratio } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { startCrest } from "./servers/crest.ts";

const ids = Array.from({ length: 1024 }, (_, index) => idOf("asked", index));

/** A name, and the flags of its gateway. The others are compared with the first. */
export type Way = readonly [name: string, flags: readonly string[]];

export interface Compared {
  /** For a goal: `status, 1 client`. */
  readonly title: string;
  /** Reads a second by way, times those of the first. */
  readonly ratios: ReadonlyMap<string, Spread>;
}

/** Prints a table for one client and one for 32. */
export async function compareWays(
  { plan, folder, print, onEnd }: Bench,
  about: string,
  ways: readonly Way[],
): Promise<readonly Compared[]> {
  const socket = join(folder, "cri.sock");
  const runtime = startChild("servers/runtime", { args: [socket] });
  onEnd(runtime.stop);
  await runtime.listening;
  await runtime.ask("hold", 1);
  const httpLoad = startChild("load/http-load", { args: [socket] });
  onEnd(httpLoad.stop);
  const home = join(folder, "crest");
  mkdirSync(home);
  const gateways = await Promise.all(
    ways.map(async ([name, flags]) => {
      const { child, headers } = startCrest(socket, home, flags);
      onEnd(child.stop);
      return { name, child, headers, port: (await child.listening).port };
    }),
  );
  const [[first = ""] = []] = ways;
  const compared: Compared[] = [];
  for (const clients of [1, 32]) {
    const sides = gateways.map(({ name, child, headers, port }) => ({
      name: name as Side["name"],
      server: child,
      read: (durationMs: number) =>
        httpLoad.ask("readHttp", {
          ...{ port, clients, durationMs, headers, status: 200 },
          targets: ids.map((id) => `/v1/containers/${id}`),
        }),
    }));
    const rounds = { rounds: plan.rounds, turnMs: plan.readMs };
    const processes = { runtime, httpLoad, grpcLoad: httpLoad };
    const results = await inTurn(sides, rounds, (side) => measure(side, processes, plan.readMs));
    const [without = []] = results.values();
    const rate = (turns: readonly Turn[]): number[] => turns.map(({ perSecond }) => perSecond);
    const cpu = (turns: readonly Turn[]): number[] => turns.map(({ cpuMs }) => cpuMs);
    const title = `status, ${clients} client${clients === 1 ? "" : "s"}`;
    print(
      `${about}: ${title}\n${table(
        ["", "reads/s", `times ${first}`, "CPU ms", `times ${first}`, "p50 ms", "p99 ms"],
        [...results].map(([{ name }, turns]) => {
          const latencies = turns.flatMap(({ latenciesMs }) => latenciesMs);
          return [
            name,
            number(median(rate(turns))),
            range(ratio(rate(turns), rate(without))),
            number(median(cpu(turns))),
            range(ratio(cpu(turns), cpu(without))),
            number(percentile(latencies, 0.5)),
            number(percentile(latencies, 0.99)),
          ];
        }),
      )}`,
    );
    compared.push({
      title,
      ratios: new Map([...results].map(([{ name }, turns]) => [name, ratio(rate(turns), rate(without))])),
    });
  }
  return compared;
}
