/** What a scope costs: the same lists of a caller that sees all pods, and of one whose pods are looked at one by one. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark } from "./bench.ts";
import { compareWays } from "./ways.ts";

export const scopes: Benchmark = async (bench) => {
  const flags = ["-A", "--log-level=warn"];
  for (const containers of [100, 1000]) {
    const folder = join(bench.folder, String(containers));
    mkdirSync(folder);
    // The denial is of no pod there is, so that both answer with the same bytes.
    await compareWays(
      { ...bench, folder },
      "scopes",
      [
        ["whole", flags],
        ["scoped", [...flags, "--deny-read=no-such-namespace/*"]],
      ],
      { title: `list of ${containers}`, containers, targets: ["/v1/containers"] },
    );
  }
};
