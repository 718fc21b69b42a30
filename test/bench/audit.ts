/** What the audit log costs: the same changes and lists of a gateway without one, and with one at each level. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark } from "./bench.ts";
import { startChild } from "./process/child.ts";
import { measure, type Turn } from "./reads/measure.ts";
import type { Side } from "./reads/sides.ts";
import { median, percentile, ratio } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { startCrest } from "./servers/crest.ts";

/** What is asked, and the status of its answer. */
const requests = {
  create: { targets: ["/v1/pods"], status: 201, post: '{"metadata":{"name":"web","namespace":"demo"}}' },
  list: { targets: ["/v1/containers"], status: 200 },
} as const;
const containers = 100;

export const audit: Benchmark = async ({ plan, folder, print, onEnd, goal }) => {
  const socket = join(folder, "cri.sock");
  const runtime = startChild("servers/runtime", { args: [socket] });
  onEnd(runtime.stop);
  await runtime.listening;
  await runtime.ask("hold", containers);
  const httpLoad = startChild("load/http-load", { args: [socket] });
  onEnd(httpLoad.stop);
  const home = join(folder, "crest");
  mkdirSync(home);
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ["none", []],
    ["changes", [`--audit-file=${join(home, "changes.log")}`]],
    ["all", [`--audit-file=${join(home, "all.log")}`, "--audit-level=all"]],
  ];
  const gateways = await Promise.all(
    ways.map(async ([name, flags]) => {
      const { child, headers } = startCrest(socket, home, ["-A", "--log-level=warn", ...flags]);
      onEnd(child.stop);
      return { name, child, headers, port: (await child.listening).port };
    }),
  );
  for (const [what, request] of Object.entries(requests)) {
    const sides = gateways.map(({ name, child, headers, port }) => ({
      name: name as Side["name"],
      server: child,
      read: (durationMs: number) =>
        httpLoad.ask("readHttp", { ...{ port, clients: 8, durationMs, headers }, ...request }),
    }));
    const rounds = { rounds: plan.rounds, turnMs: plan.readMs };
    const processes = { runtime, httpLoad, grpcLoad: httpLoad };
    const results = await inTurn(sides, rounds, (side) => measure(side, processes, plan.readMs));
    const [without = [], changes = []] = results.values();
    const rate = (turns: readonly Turn[]): number[] => turns.map(({ perSecond }) => perSecond);
    const cpu = (turns: readonly Turn[]): number[] => turns.map(({ cpuMs }) => cpuMs);
    const title = what === "list" ? `list of ${containers}` : "create";
    print(
      `audit log: ${title}, 8 clients\n${table(
        ["level", "requests/s", "times none", "CPU ms", "times none", "p50 ms", "p99 ms"],
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
    goal({
      about: `audit log, ${title}: requests/s at the level changes, times without`,
      wanted: { atLeast: what === "list" ? 0.95 : 0.8 },
      measured: ratio(rate(changes), rate(without)),
    });
  }
};
