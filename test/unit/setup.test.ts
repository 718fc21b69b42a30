/** What `npm start` and `npm test` do first in a clone, with an npm and a compiler that only note that they were run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";
import { tempDir } from "../support/temp-dir.ts";

const skip = process.platform === "win32" ? "needs a POSIX shell" : false;

interface Clone {
  /** When its packages were installed; absent: they were not. */
  readonly installed?: Date;
  readonly env?: { readonly [name: string]: string };
}

/** What is run in a clone, a line each. */
async function runIn(t: TestContext, { installed, env = {} }: Clone): Promise<readonly string[]> {
  const clone = await tempDir(t);
  const [compiler, programs] = [join(clone, "node_modules", "typescript", "bin"), join(clone, "programs")];
  for (const folder of [compiler, programs, join(clone, "dist")]) mkdirSync(folder, { recursive: true });
  const notes = join(clone, "notes");
  writeFileSync(join(programs, "npm"), `#!/bin/sh\necho "npm $*" >>${notes}\n`, { mode: 0o755 });
  writeFileSync(join(compiler, "tsc"), `require("fs").appendFileSync(${JSON.stringify(notes)}, "tsc\\n");`);
  writeFileSync(join(clone, "package-lock.json"), "{}");
  if (installed !== undefined) {
    const record = join(clone, "node_modules", ".package-lock.json");
    writeFileSync(record, "{}");
    utimesSync(record, installed, installed);
  }
  const { status, stderr } = spawnSync(process.execPath, [join(repositoryRoot(), "src", "setup.mjs")], {
    cwd: clone,
    encoding: "utf8",
    env: { ...process.env, ...env, PATH: `${programs}${delimiter}${process.env.PATH}` },
  });
  assert.equal(status, 0, stderr);
  return readFileSync(notes, "utf8").trim().split("\n");
}

test("packages that are missing, or older than the lock file, are installed before it builds", {
  skip,
}, async (t) => {
  for (const clone of [{}, { installed: new Date(0) }]) {
    const [install = "", ...rest] = await runIn(t, clone);
    assert.match(install, /^npm ci /);
    assert.deepEqual(rest, ["tsc"]);
  }
  assert.deepEqual(await runIn(t, { installed: new Date(Date.now() + 60_000) }), ["tsc"]);
});

test("what builds it is installed where NODE_ENV says production, too", { skip }, async (t) => {
  const [install = ""] = await runIn(t, { env: { NODE_ENV: "production" } });
  assert.match(install, / --include=dev( |$)/);
});
