/**
 * `npm run audit:signatures [-- --required]`: checks the registry's signatures of the installed packages.
 *
 * Exits with 1 if one is wrong or missing, and with `--required` also if none could be checked.
 */
import { spawnSync } from "node:child_process";
import { verdictOf } from "./verdict.ts";

/** npm's own waits add up to a minute where Sigstore cannot be reached. */
const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"];

const { status, stdout, stderr, error } = spawnSync("npm", ["audit", "signatures", "--json", ...patience], {
  encoding: "utf8",
  timeout: 300_000,
  shell: process.platform === "win32",
});
const { result, text } = verdictOf({ code: status, stdout: stdout ?? "", stderr: error?.message ?? stderr });
console.log(text);
const isRequired = process.argv.includes("--required");
process.exitCode = result === "refused" || (result === "unchecked" && isRequired) ? 1 : 0;
