/** What the request log and traces cost: the same reads of a gateway with and without them. */
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Bench, Benchmark } from "./bench.ts";
import { idOf } from "./population.ts";
import { startChild } from "./process/child.ts";
import { measure, type Turn } from "./reads/measure.ts";
import type { Side } from "./reads/sides.ts";
import { median, percentile, ratio } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { startCrest } from "./servers/crest.ts";

const ids = Array.from({ length: 1024 }, (_, index) => idOf("asked", index));

export const logging: Benchmark = async (bench) => {
  const { plan, folder, print, onEnd, goal } = bench;
  const socket = join(folder, "cri.sock");
  const runtime = startChild("servers/runtime", { args: [socket] });
  onEnd(runtime.stop);
  await runtime.listening;
  await runtime.ask("hold", 1);
  const httpLoad = startChild("load/http-load", { args: [socket] });
  onEnd(httpLoad.stop);
  const collector = await startCollector(bench);
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ["neither", ["--log-level=warn"]],
    ["json log", ["--log-format=json"]],
    ["text log", ["--log-format=text"]],
    ["traces", ["--log-level=warn", `--otlp-endpoint=${collector}`]],
  ];
  const home = join(folder, "crest");
  mkdirSync(home);
  const gateways = await Promise.all(
    ways.map(async ([name, flags]) => {
      const { child, headers } = startCrest(socket, home, flags);
      onEnd(child.stop);
      return { name, child, headers, port: (await child.listening).port };
    }),
  );
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
      `logging: ${title}\n${table(
        ["", "reads/s", "times neither", "CPU ms", "times neither", "p50 ms", "p99 ms"],
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
    const [, json = []] = results.values();
    goal({
      about: `${title}: reads/s with the request log, times without`,
      wanted: { atLeast: 0.9 },
      measured: ratio(rate(json), rate(without)),
    });
  }
};

/** Takes traces and forgets them. Returns its address. */
async function startCollector({ onEnd }: Bench): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onEnd(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
