/**
 * What `npm start` and `npm test` do before anything of ours can run: check Node, install the packages
 * when they are missing or older than the lock file, build.
 *
 * Plain JavaScript without imports of ours, since a fresh clone has neither packages nor a build.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  stop(`Crest needs Node 20.19 or newer, this is ${process.version}`);
}

const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
if (time("node_modules/.package-lock.json") < time("package-lock.json")) {
  run("Installing packages", "npm", ["ci", "--include=dev", "--no-fund", "--no-audit", "--loglevel=error"]);
}
run("Building", process.execPath, [join("node_modules", "typescript", "bin", "tsc")]);
removeStale("dist");

/** Runs one step, showing its output only when it fails. */
function run(step, command, args) {
  process.stderr.write(`${step}\n`);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) stop(`${step} failed: ${error?.message ?? ""}\n${stdout ?? ""}${stderr ?? ""}`);
}

/** Removes what has no source: a deleted test must not run on, and the package holds what is built now. */
function removeStale(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const built = join(entry.parentPath ?? entry.path, entry.name);
    const source = built.slice("dist/".length).replace(/\.(d\.ts|js)$/, ".ts");
    if (entry.isFile() && !existsSync(source)) rmSync(built);
  }
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
