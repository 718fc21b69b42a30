/**
 * A stand-in for runc, for machines without CAP_SYS_RESOURCE: Docker asks for an OOM score of 0, which a
 * process whose own is higher may not have there, and no container would start.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const args = process.argv.slice(2);
const bundle = args[args.indexOf("--bundle") + 1];
if (args.includes("create") && bundle !== undefined) {
  const file = join(bundle, "config.json");
  const spec = JSON.parse(readFileSync(file, "utf8")) as { readonly process: { oomScoreAdj?: number } };
  delete spec.process.oomScoreAdj;
  writeFileSync(file, JSON.stringify(spec));
}
process.exitCode = spawnSync("runc", args, { stdio: "inherit" }).status ?? 1;
