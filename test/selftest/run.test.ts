import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tempDir } from "../support/temp-dir.ts";

const extension = extname(fileURLToPath(import.meta.url));
const runner = join(dirname(fileURLToPath(import.meta.url)), "..", `run${extension}`);

/** Runs the runner in a folder of its own with these test files, and gives its exit code and output. */
async function runWith(
  t: TestContext,
  files: { readonly [path: string]: string },
  args: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
  const folder = await tempDir(t);
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  await copyFile(runner, join(folder, `run${extension}`));
  for (const [path, body] of Object.entries(files)) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, `${path}.test${extension}`), `import { test } from "node:test";\n${body}\n`);
  }
  const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...inherited } = process.env;
  const env = { ...inherited, CREST_TEST_QUICK: undefined };
  const child = spawn(process.execPath, [join(folder, `run${extension}`), ...args], { env, cwd: folder });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

const passing = 'test("passes", () => {});';

test("the runner takes all files, and a group alone", async (t) => {
  const paths = ["unit/a/deep", "e2e/b", "contract/c", "selftest/d", "top"];
  const files = Object.fromEntries(paths.map((path) => [path, passing]));
  const all = await runWith(t, files);
  assert.equal(all.code, 0, all.output);
  assert.match(all.output, /5 passed, 0 failed, 0 skipped/);
  const unit = await runWith(t, files, ["unit"]);
  assert.match(unit.output, /2 passed/);
  const two = await runWith(t, files, ["e2e", "contract"]);
  assert.match(two.output, /2 passed/);
});

test("the runner takes a file by its path", async (t) => {
  const files = { "unit/a": passing, "unit/b": passing };
  const one = await runWith(t, files, [`unit/a.test${extension}`]);
  assert.equal(one.code, 0, one.output);
  assert.match(one.output, /1 passed/);
  const none = await runWith(t, files, ["unit/c.test.js"]);
  assert.equal(none.code, 1);
  assert.match(none.output, /Cannot run unit\/c\.test\.js/);
});

test("a failed test, a broken file and no test at all fail the run", async (t) => {
  const failed = await runWith(t, {
    "unit/a": `${passing} test("fails", () => { throw new Error("no"); });`,
  });
  assert.equal(failed.code, 1);
  assert.match(failed.output, /1 passed, 1 failed/);
  const broken = await runWith(t, { "unit/a": 'throw new Error("broken");', "unit/b": passing });
  assert.equal(broken.code, 1, broken.output);
  const hollow = await runWith(t, { "unit/a": "void test;" });
  assert.equal(hollow.code, 1, hollow.output);
  assert.match(hollow.output, /no test ran/);
  assert.equal((await runWith(t, {})).code, 1);
});

test("skipped tests are told with their reasons, and fail the run with --no-skip", async (t) => {
  const files = { "unit/a": `${passing} test("later", { skip: "needs a moon" }, () => {});` };
  const suite = await runWith(
    t,
    { "unit/a": `import { suite } from "node:test"; ${passing} suite("all", { skip: "no" }, () => {});` },
    ["--no-skip"],
  );
  assert.equal(suite.code, 1);
  assert.match(suite.output, /skipped: unit\/a\.test\.[jt]s: all: no\n/);
  const lenient = await runWith(t, files);
  assert.equal(lenient.code, 0, lenient.output);
  assert.match(lenient.output, /skipped: unit\/a\.test\.[jt]s: later: needs a moon/);
  assert.match(lenient.output, /1 passed, 0 failed, 1 skipped/);
  assert.equal((await runWith(t, files, ["--no-skip"])).code, 1);
});

test("what tests start does not inherit the runner's options of Node", async (t) => {
  const body = `import assert from "node:assert";
    test("clean", () => assert.equal(process.env.NODE_OPTIONS, undefined));`;
  const { code, output } = await runWith(t, { "unit/a": body });
  assert.equal(code, 0, output);
});

test("--quick has tests try a tenth of their random inputs", async (t) => {
  const body = 'test("quick: " + process.env.CREST_TEST_QUICK, () => {});';
  assert.match((await runWith(t, { "unit/a": body }, ["--quick"])).output, /quick: 1/);
  assert.match((await runWith(t, { "unit/a": body })).output, /quick: undefined/);
});

test("files of e2e run one at a time", async (t) => {
  const body = (other: string) => `
    import { existsSync, writeFileSync, rmSync } from "node:fs";
    import { setTimeout } from "node:timers/promises";
    test("alone", async () => {
      const own = new URL(import.meta.url + ".lock");
      writeFileSync(own, "");
      for (let count = 0; count < 20; count += 1) {
        if (existsSync(new URL("./${other}.test${extension}.lock", import.meta.url))) throw new Error("not alone");
        await setTimeout(10);
      }
      rmSync(own);
    });`;
  const { code, output } = await runWith(t, { "e2e/a": body("b"), "e2e/b": body("a") });
  assert.equal(code, 0, output);
});
