/** From the start of a process to its listening, and what it holds before anyone asks. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench, Benchmark } from "./bench.ts";
import { type Child, startChild } from "./process/child.ts";
import { ratio, spread } from "./report/statistics.ts";
import { mebibytes, number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { startCrest } from "./servers/crest.ts";

interface Side {
  readonly name: string;
  start(): Child;
}

interface Start {
  readonly listeningMs: number;
  readonly rssBytes: number;
}

/** What a start and what is looked at behind it take on a machine of today. */
const usualMs = 900;
/** Until what a process still does after it began to listen is over. */
const settleMs = 300;

export const start: Benchmark = async (bench) => {
  const socket = join(bench.folder, "cri.sock");
  const runtime = startChild("servers/runtime", { args: [socket] });
  bench.onEnd(runtime.stop);
  await runtime.listening;
  const crest: Side = {
    name: "crest serve",
    start: () => startCrest(socket, mkdtempSync(join(bench.folder, "start-"))).child,
  };
  const naive: Side = {
    name: "naive gateway",
    start: () => startChild("servers/naive", { args: [socket] }),
  };
  const bare: Side = {
    name: "bare fastify + grpc-js",
    start: () => startChild("servers/bare", { args: [socket] }),
  };
  const sides = [crest, naive, bare];
  const rounds = { rounds: bench.plan.starts, turnMs: usualMs };
  const results = await inTurn(sides, rounds, (side) => observe(side, bench));

  const pick = (side: Side, what: keyof Start): number[] =>
    (results.get(side) ?? []).map((result) => result[what]);
  const rows = sides.map((side) => [
    side.name,
    number(spread(pick(side, "listeningMs")).median),
    range(ratio(pick(side, "listeningMs"), pick(bare, "listeningMs"))),
    mebibytes(spread(pick(side, "rssBytes")).median),
    range(ratio(pick(side, "rssBytes"), pick(bare, "rssBytes"))),
  ]);
  bench.print(`start\n${table(["", "ms to listening", "times bare", "idle RSS, MiB", "times bare"], rows)}`);
  for (const [what, about] of [
    ["listeningMs", "time to listening, times bare fastify + grpc-js"],
    ["rssBytes", "idle RSS, times bare fastify + grpc-js"],
  ] as const) {
    bench.goal({ about, wanted: { atMost: 1.5 }, measured: ratio(pick(crest, what), pick(bare, what)) });
  }
};

async function observe(side: Side, { onEnd }: Bench): Promise<Start> {
  const child = side.start();
  onEnd(child.stop);
  const { afterMs } = await child.listening;
  await delay(settleMs);
  const { rssBytes } = await child.ask("usage");
  await child.stop();
  return { listeningMs: afterMs, rssBytes };
}
