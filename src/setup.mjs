/**
 * What `npm start` and `npm test` do before anything of ours can run: check Node, install the packages
 * when they are missing or older than the lock file, build what is not current.
 *
 * Plain JavaScript without imports of ours, since a fresh clone has neither packages nor a build.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What tsc reads beside the sources; npm's record names the compiler and the types that are installed. */
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
 * Builds, unless the sources are those of the last build and its output is as that build left it. Compares contents:
 * times say little after a checkout or a copy. Only a build that has come to its end leaves a stamp.
 */
function build() {
  const stamp = join("dist", "build.json");
  const inputs = digestOf([...filesIn("src", ".ts"), ...filesIn("test", ".ts"), ...settings]);
  if (readStamp(stamp) === stampOf(inputs, outputs(stamp))) return;
  rmSync(stamp, { force: true });
  run("Building", process.execPath, [join("node_modules", "typescript", "bin", "tsc")]);
  removeStale("dist");
  // With the sources as they were before: what changed meanwhile is for the next build.
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

/** The paths of the files below a folder whose names end so. */
function filesIn(folder, ending = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** One digest of the names and contents of files. */
function digestOf(paths) {
  const whole = createHash("sha256");
  for (const path of paths.toSorted()) {
    const content = existsSync(path) ? readFileSync(path) : "";
    whole.update(`${path}\0${createHash("sha256").update(content).digest("hex")}\n`);
  }
  return whole.digest("hex");
}

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
  for (const built of filesIn(directory)) {
    const source = built.slice("dist/".length).replace(/\.(d\.ts|js)$/, ".ts");
    if (!existsSync(source)) rmSync(built);
  }
}

function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
