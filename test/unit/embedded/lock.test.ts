import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createLock } from "../../../src/embedded/lock.ts";
import { StartError } from "../../../src/errors.ts";

const skip = spawnSync("flock", ["--version"]).status === 0 ? false : "needs flock(1)";
const folder = mkdtempSync(join(tmpdir(), "crest-lock-"));
after(() => rmSync(folder, { recursive: true }));

test("createLock() refuses a second owner, naming the first one's pid", { skip }, () => {
  const path = join(folder, "second");
  const lock = createLock(path);
  assert.throws(
    () => createLock(path),
    new StartError(`The data folder is in use by process ${process.pid}: its lock is ${path}.`),
  );
  lock.close();
});

test("createLock() succeeds after close(), which may be called twice", { skip }, () => {
  const path = join(folder, "again");
  const first = createLock(path);
  first.close();
  first.close();
  createLock(path).close();
});

test("createLock() takes over from an owner that was killed", { skip }, () => {
  const path = join(folder, "killed");
  const module = import.meta.resolve(`../../../src/embedded/lock${import.meta.url.slice(-3)}`);
  const script = `import { createLock } from ${JSON.stringify(module)};
    createLock(${JSON.stringify(path)});
    process.kill(process.pid, "SIGKILL");`;
  const { pid, signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", script]);
  assert.equal(signal, "SIGKILL");
  assert.equal(readFileSync(path, "utf8"), `${pid}\n`);
  createLock(path).close();
  assert.equal(readFileSync(path, "utf8"), `${process.pid}\n`);
});
