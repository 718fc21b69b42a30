/** Schemathesis, from PyPI into a folder of its own below node_modules/.cache. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { install } from "../../src/embedded/requirements.ts";
import { repositoryRoot } from "../support/repository.ts";

const version = "4.32.5";

/**
 * Answers its command line program; installs it when it is not there, and Debian's package of venv too.
 *
 * @throws {Error} when it cannot be installed.
 */
export async function installSchemathesis(report: (step: string) => void): Promise<string> {
  const folder = join(repositoryRoot(), "node_modules", ".cache", "crest", "schemathesis", version);
  const program = join(folder, "bin", "schemathesis");
  const complete = join(folder, "complete");
  if (existsSync(complete)) return program;
  report(`Installing schemathesis ${version}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  const { status } = spawnSync("python3", ["-c", "import ensurepip, venv"], { stdio: "ignore" });
  if (status !== 0) await install(["python3-venv"], report);
  run("python3", ["-m", "venv", folder]);
  run(join(folder, "bin", "python"), ["-m", "pip", "install", "--quiet", `schemathesis==${version}`]);
  // Programs hold the path of their folder: it is marked, since it cannot be renamed into place.
  mkdirSync(complete);
  return program;
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return;
  const why = error?.message ?? `${stdout}${stderr}`.trim();
  throw new Error(`Cannot install schemathesis: ${[command, ...args].join(" ")}: ${why}`);
}
