/** The browser's modules are plain JavaScript: their types are checked by a configuration of their own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../support/repository.ts";

test("the browser's modules have no type errors", () => {
  const compiler = join("node_modules", "typescript", "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", join("src", "docs", "assets")], {
    ...{ cwd: repositoryRoot(), encoding: "utf8" },
  });
  assert.equal(status, 0, stdout);
});
