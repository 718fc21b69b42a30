/**
 * Runs before `npm start` and `npm test`: checks Node, installs the packages if they are missing or older than the lock
 * file, and builds if the build is out of date.
 *
 * Plain JavaScript that imports only Node's modules, because a fresh clone has neither packages nor a build.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Inputs of tsc besides the sources. npm's own record identifies the installed compiler and types. */
const settings = ["tsconfig.json", "package.json", join("node_modules", ".package-lock.json")];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  stop(`Crest needs Node 20.19 or newer, this is ${process.version}`);
}

const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
if (time("node_modules/.package-lock.json") < time("package-lock.json")) {
  run("Installing packages", "npm", ["ci", "--include=dev", "--no-fund", "--no-audit", "--loglevel=error"]);
}
build();

/**
 * Builds, unless sources and output are unchanged since the last build. Compares contents, because modification times
 * are unreliable after a checkout or a copy. Only a completed build writes the stamp.
 */
function build() {
  const stamp = join("dist", "build.json");
  const inputs = digestOf([...filesIn("src", ".ts"), ...filesIn("test", ".ts"), ...settings]);
  if (readStamp(stamp) === stampOf(inputs, outputs(stamp))) return;
  rmSync(stamp, { force: true });
  run("Building", process.execPath, [join("node_modules", "typescript", "bin", "tsc")]);
  // So that npx and links to it can run it: npm does this only for packages that it installs.
  chmodSync(join("dist", "src", "main.js"), 0o755);
  removeStale("dist");
  // Uses the digest from before the build: a change made during the build must trigger the next one.
  writeFileSync(stamp, stampOf(inputs, outputs(stamp)));
}

function readStamp(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function stampOf(inputs, outputs) {
  return `${JSON.stringify({ inputs, outputs })}\n`;
}

function outputs(stamp) {
  return digestOf(filesIn("dist").filter((path) => path !== stamp));
}

/** The paths of all files below a folder whose names end with `ending`. */
function filesIn(folder, ending = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** A single digest of the names and contents of files. */
function digestOf(paths) {
  const whole = createHash("sha256");
  for (const path of paths.toSorted()) {
    const content = existsSync(path) ? readFileSync(path) : "";
    whole.update(`${path}\0${createHash("sha256").update(content).digest("hex")}\n`);
  }
  return whole.digest("hex");
}

/** Runs a step and shows its output only if it fails. */
function run(step, command, args) {
  process.stderr.write(`${step}\n`);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) stop(`${step} failed: ${error?.message ?? ""}\n${stdout ?? ""}${stderr ?? ""}`);
}

/** Removes files without a source: a deleted test must not run, and the package must hold only what was just built. */
function removeStale(directory) {
  for (const built of filesIn(directory)) {
    const source = built.slice("dist/".length).replace(/\.(d\.ts|js)$/, ".ts");
    if (!existsSync(source)) rmSync(built);
  }
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
