/**
 * `npm run bench -- [codec|reads|logging|audit|limits|scopes|logs|start|commands|streaming ...] [--quick]`: measures Crest beside what one would
 * use instead, in turn, and prints ratios. It never fails for a time. About three minutes; 40 s with
 * `--quick`, which shows that it works rather than how fast.
 * `CREST_BENCH_LOG_MIB=2048` makes the log larger that `logs` reads.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { audit } from "./audit.ts";
import type { Benchmark, Plan } from "./bench.ts";
import { codec } from "./codec.ts";
import { commands } from "./commands.ts";
import { callerLimits } from "./limits.ts";
import { logging } from "./logging.ts";
import { logs } from "./logs.ts";
import { reads } from "./reads.ts";
import { type Goal, goalsTable } from "./report/goals.ts";
import { number } from "./report/table.ts";
import { scopes } from "./scopes.ts";
import { start } from "./start.ts";
import { streaming } from "./streaming.ts";

const benchmarks: { readonly [name: string]: Benchmark } = {
  codec,
  reads,
  logging,
  limits: callerLimits,
  scopes,
  audit,
  logs,
  start,
  commands,
  streaming,
};
const thorough: Plan = { rounds: 8, readMs: 150, codecMs: 60, starts: 4, logBytes: 2 ** 29 };
const quick: Plan = { rounds: 2, readMs: 40, codecMs: 20, starts: 1, logBytes: 2 ** 26 };

type Clean = () => Promise<void>;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs one benchmark and cleans up behind it, also when it breaks off. */
async function run(benchmark: Benchmark, plan: Plan, broken: Promise<never>): Promise<readonly Goal[]> {
  const goals: Goal[] = [];
  const cleaning: Clean[] = [];
  const folder = await mkdtemp(join(tmpdir(), "crest-bench-"));
  try {
    const done = benchmark({
      ...{ plan, folder, print },
      goal: (goal) => goals.push(goal),
      onEnd: (clean) => cleaning.unshift(clean),
    });
    await Promise.race([done, broken]);
    return goals;
  } finally {
    for (const clean of cleaning) await clean();
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(args: readonly string[]): Promise<void> {
  const usual = args.includes("--quick") ? quick : thorough;
  const mebibytes = Number(process.env.CREST_BENCH_LOG_MIB ?? usual.logBytes / 2 ** 20);
  const plan: Plan = { ...usual, logBytes: mebibytes * 2 ** 20 };
  const given = args.filter((arg) => arg !== "--quick");
  const unknown = given.filter((name) => !(name in benchmarks));
  if (unknown.length > 0) {
    throw new Error(`Cannot run ${unknown.join(", ")}: there are ${Object.keys(benchmarks).join(", ")}`);
  }
  const broken = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => reject(new Error(`${signal}: broken off`)));
    }
  });
  broken.catch(() => undefined);
  print(`Node ${process.version}, up to ${plan.rounds} rounds; in brackets where half of them lay`);
  print(`${availableParallelism()} cores, load average ${number(loadavg()[0] ?? 0)} before the start\n`);
  const goals: Goal[] = [];
  for (const name of given.length > 0 ? given : Object.keys(benchmarks)) {
    const benchmark = benchmarks[name];
    if (benchmark) goals.push(...(await run(benchmark, plan, broken)));
  }
  if (goals.length > 0) print(goalsTable(goals));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  // What was broken off may be waiting for something still.
  process.exit(1);
}
