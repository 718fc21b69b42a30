/** What the limits of a caller cost: the same reads of a gateway with and without them. */
import type { Benchmark } from "./bench.ts";
import { compareWays } from "./ways.ts";

/** Each is counted, and none is met. */
const limits = ["requests", "connections", "sessions", "streams", "pulls"].map(
  (name) => `--caller-${name}=9999999`,
);

export const callerLimits: Benchmark = async (bench) => {
  const quiet = "--log-level=warn";
  const compared = await compareWays(bench, "limits", [
    ["without limits", [quiet]],
    ["with limits", [quiet, ...limits, "--caller-bodies=1GiB"]],
  ]);
  for (const { title, ratios } of compared) {
    const measured = ratios.get("with limits");
    if (measured === undefined) continue;
    bench.goal({
      about: `${title}: reads/s with limits, times without`,
      wanted: { atLeast: 0.97 },
      measured,
    });
  }
};
