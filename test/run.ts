/**
 * The test runner: `node dist/test/run.js [unit|selftest|contract|e2e|browser|FILE...] [--no-skip] [--quick]`.
 *
 * Finds the test files in its own folder: the compiled ones (`*.test.js`) if it is compiled itself, else the sources.
 * Runs all of them by default. Files of e2e and browser run one at a time, because they share the host; the
 * others run beside them, three at a time. With `--quick`, tests with random inputs try a tenth of them.
 *
 * Exits with 1 if a test failed, if none ran, and with `--no-skip` if one was skipped.
 */
import { readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const groups = ["unit", "selftest", "contract", "e2e", "browser"];
const oneAtATime = ["e2e", "browser"];
const fileTimeoutMs = 10 * 60_000;

interface Tally {
  passed: number;
  failed: number;
  readonly skipped: { name: string; file: string; reason: string }[];
}

const testFolder = dirname(fileURLToPath(import.meta.url));
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** The group of a file: unit, contract, ... Files directly in test/ count as unit. */
function groupOf(file: string): string {
  const [first = ""] = relative(testFolder, file).split(sep);
  return groups.includes(first) ? first : "unit";
}

function allFiles(): string[] {
  return readdirSync(testFolder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(`.test${extension}`))
    .map((name) => join(testFolder, name))
    .sort();
}

/** Resolves names of groups and paths to test files. The path of a source selects its compiled file. */
function chooseFiles(names: readonly string[]): string[] {
  const all = allFiles();
  if (names.length === 0) return all;
  return names.flatMap((name) => {
    if (groups.includes(name)) return all.filter((file) => groupOf(file) === name);
    const path = resolve(name);
    const compiled = join(testFolder, relative(resolve("test"), path)).replace(/\.ts$/, extension);
    const chosen = all.find((file) => file === path || file === compiled);
    if (chosen === undefined) throw new Error(`Cannot run ${name}: no group and no test file`);
    return [chosen];
  });
}

/** Runs the files, and prints their results once `mayPrint` settles. */
async function runFiles(
  files: string[],
  concurrency: number,
  tally: Tally,
  mayPrint: Promise<void> = Promise.resolve(),
): Promise<void> {
  if (files.length === 0) return;
  const tests = run({ files, concurrency, timeout: fileTimeoutMs });
  tests.on("test:pass", (event) => {
    if (event.skip !== undefined) {
      tally.skipped.push({ name: event.name, file: event.file ?? "", reason: reasonOf(event.skip) });
      return;
    }
    // Do not count suites, nor whole files, which older Nodes report for files without tests.
    if (event.details.type === "suite" || files.includes(resolve(event.name))) return;
    tally.passed += 1;
  });
  tests.on("test:fail", (event) => {
    if (event.todo === undefined) tally.failed += 1;
  });
  await mayPrint;
  await new Promise<void>((resolve, reject) => {
    const report = tests.compose(new spec());
    report.on("error", reject);
    report.on("end", resolve);
    report.pipe(process.stdout, { end: false });
  });
}

function reasonOf(skip: string | boolean): string {
  return typeof skip === "string" && skip !== "" ? skip : "no reason given";
}

/**
 * Makes every test process exit if its file takes too long.
 *
 * From Node 22 on, the timeout of `run()` applies to single tests, so a process that something keeps alive after its
 * last test would never exit.
 */
function addWatchdog(): void {
  const options = process.env.NODE_OPTIONS;
  const limit = `Cannot go on: the file took longer than ${fileTimeoutMs} ms, or something keeps its process alive`;
  const code = [
    // Child processes of the tests must not inherit it.
    options === undefined
      ? "delete process.env.NODE_OPTIONS"
      : `process.env.NODE_OPTIONS = ${JSON.stringify(options)}`,
    `setTimeout(() => { console.error(${JSON.stringify(limit)}); process.exit(1); }, ${fileTimeoutMs}).unref()`,
  ].join(";");
  const preload = `--import=data:text/javascript,${encodeURIComponent(code)}`;
  process.env.NODE_OPTIONS = options === undefined ? preload : `${options} ${preload}`;
}

async function main(args: readonly string[]): Promise<number> {
  const noSkip = args.includes("--no-skip");
  if (args.includes("--quick")) process.env.CREST_TEST_QUICK = "1";
  const files = chooseFiles(args.filter((arg) => arg !== "--no-skip" && arg !== "--quick"));
  addWatchdog();
  const tally: Tally = { passed: 0, failed: 0, skipped: [] };
  const alone = files.filter((file) => oneAtATime.includes(groupOf(file)));
  const others = files.filter((file) => !alone.includes(file));
  // Three and one of those on the real runtime keep two cores busy: each waits for half of its time, or more.
  const beside = runFiles(others, 3, tally);
  await Promise.all([beside, runFiles(alone, 1, tally, beside)]);

  for (const { name, file, reason } of tally.skipped) {
    console.log(`skipped: ${relative(testFolder, file)}: ${name}: ${reason}`);
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped.length} skipped`);
  if (tally.passed + tally.failed === 0) {
    console.log("Cannot call this a success: no test ran");
    return 1;
  }
  return tally.failed > 0 || (noSkip && tally.skipped.length > 0) ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
