/** Reads over HTTP: Crest, the gateway that one would write first, no gateway at all, and the floor. */
import type { Benchmark } from "./bench.ts";
import { checkAnswers } from "./reads/check.ts";
import { measure } from "./reads/measure.ts";
import { goalsOf, legend, memoryTable, scenarioTable } from "./reads/report.ts";
import { type Scenario, sidesOf, startProcesses } from "./reads/sides.ts";
import { inTurn } from "./rounds.ts";

const scenarios: readonly Scenario[] = [1, 32].flatMap((clients) => [
  { read: "status" as const, containers: 1, clients },
  ...[1, 100, 1000].map((containers) => ({ read: "list" as const, containers, clients })),
]);

export const reads: Benchmark = async (bench) => {
  const { plan, print, goal } = bench;
  const processes = await startProcesses(bench);
  for (const scenario of scenarios) {
    const { runtime, floor } = processes;
    await Promise.all([runtime, floor.child].map((child) => child.ask("hold", scenario.containers)));
    const etag = await checkAnswers(scenario, processes);
    // A turn holds several answers to each client, also of the longest list.
    const turnMs = scenario.containers >= 1000 ? 2 * plan.readMs : plan.readMs;
    const sides = sidesOf(scenario, processes, etag);
    const results = await inTurn(sides, { rounds: plan.rounds, turnMs }, (side) =>
      measure(side, processes, turnMs),
    );
    print(scenarioTable(scenario, results));
    goalsOf(scenario, results).forEach(goal);
  }
  print(legend);
  print(await memoryTable(processes));
};
