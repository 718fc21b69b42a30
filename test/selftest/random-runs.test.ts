import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const url = new URL(
  import.meta.url.replace(/selftest\/random-runs\.test\.([jt]s)$/, "support/random-runs.$1"),
);

/** What `randomRuns` answers in a process with this variable. */
function runsWith(quick: string | undefined, count: number): number {
  const code = `import(${JSON.stringify(url.href)}).then(({ randomRuns }) => console.log(randomRuns(${count})))`;
  const env = { ...process.env, CREST_TEST_QUICK: quick };
  return Number(spawnSync(process.execPath, ["--eval", code], { encoding: "utf8", env }).stdout);
}

test("randomRuns() gives the whole count, and a tenth of it in a quick run", () => {
  assert.equal(runsWith(undefined, 1000), 1000);
  assert.equal(runsWith("1", 1000), 100);
  assert.equal(runsWith("1", 3), 1);
});
