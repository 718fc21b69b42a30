/**
 * `node dist/test/every-containerd.js [FLAGS]`: runs the end-to-end tests on each available generation of containerd,
 * one after the other. Exits with 1 if a run failed or the installed containerd is missing.
 */
import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { containerdVersions } from "./support/containerd-versions.ts";

const here = fileURLToPath(import.meta.url);
const runner = join(dirname(here), here.endsWith(".ts") ? "run.ts" : "run.js");
const outcomes: string[] = [];
let failed = false;

for (const generation of containerdVersions()) {
  if ("why" in generation) {
    outcomes.push(`NOT RUN   containerd of ${generation.suite}: ${generation.why}`);
    failed ||= generation.suite === "installed";
    continue;
  }
  console.log(`\nEnd-to-end on containerd ${generation.version}\n`);
  const path = [generation.binaries, process.env.PATH].filter((part) => part !== undefined).join(delimiter);
  const { status } = spawnSync(process.execPath, [runner, "e2e", ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  failed ||= status !== 0;
  outcomes.push(`${status === 0 ? "passed " : "FAILED "}   containerd ${generation.version}`);
}

console.log(`\n${outcomes.join("\n")}`);
process.exitCode = failed ? 1 : 0;
