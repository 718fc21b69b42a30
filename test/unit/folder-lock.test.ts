import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StartError } from "../../src/errors.ts";
import { lockFolder } from "../../src/folder-lock.ts";
import { tempDir } from "../support/temp-dir.ts";

const inUse = (folder: string, owner: number | string) =>
  new StartError(
    `The data folder is in use by process ${owner}: its lock is ${folder}/gateway.lock, choose another with --data-dir`,
  );

/** A process that holds the folder. */
async function holder(t: TestContext, folder: string): Promise<ChildProcess & { readonly pid: number }> {
  const module = import.meta.resolve(`../../src/folder-lock${import.meta.url.slice(-3)}`);
  const script = `import { lockFolder } from ${JSON.stringify(module)};
    await lockFolder(${JSON.stringify(folder)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return Object.assign(child, { pid: child.pid ?? 0 });
}

test("lockFolder() refuses a second owner, naming the first one's pid, and leaves only its lock", async (t) => {
  const folder = join(await tempDir(t), "made");
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), inUse(folder, process.pid));
  assert.deepEqual(readdirSync(folder), ["gateway.lock"]);
  assert.equal(statSync(join(folder, "gateway.lock")).mode & 0o777, 0o600);
  await lock.close();
  assert.deepEqual(readdirSync(folder), []);
  await (await lockFolder(folder)).close();
});

test("lockFolder() names another process, and takes over from it when it was killed", async (t) => {
  const folder = await tempDir(t);
  const other = await holder(t, folder);
  await assert.rejects(lockFolder(folder), inUse(folder, other.pid));
  other.kill("SIGKILL");
  await once(other, "exit");
  assert.deepEqual(readdirSync(folder), ["gateway.lock"]);
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), inUse(folder, process.pid));
  await lock.close();
});

test("a process that is stopped still holds its folder", async (t) => {
  const folder = await tempDir(t);
  const other = await holder(t, folder);
  other.kill("SIGSTOP");
  await assert.rejects(lockFolder(folder), inUse(folder, "(which does not answer)"));
});

test("of many that take over from a dead one at once, one gets the folder", async (t) => {
  const folder = await tempDir(t);
  for (let round = 0; round < 20; round++) {
    const other = join(folder, "gateway.lock");
    if (round % 2 === 0) writeFileSync(other, "no socket");
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const got = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.equal(got.length, 1);
    await got[0]?.close();
    assert.deepEqual(readdirSync(folder), []);
  }
});

test("a folder whose path is too long for a socket is locked, too", async (t) => {
  const folder = join(await tempDir(t), "long".repeat(40));
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), inUse(folder, process.pid));
  await lock.close();
});

test("a folder that cannot be is refused in one sentence", async (t) => {
  const file = join(await tempDir(t), "file");
  writeFileSync(file, "");
  await assert.rejects(
    lockFolder(join(file, "folder")),
    new StartError(`Cannot use the data folder ${file}/folder: ENOTDIR, choose another with --data-dir`),
  );
});
