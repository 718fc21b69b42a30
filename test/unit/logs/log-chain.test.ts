/** The files of a log are found in their order, also if they change between listing and opening them. */
import assert from "node:assert/strict";
import { readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { LogChain } from "../../../src/logs/log-chain.ts";
import { tempDir } from "../../support/temp-dir.ts";

const record = (second: number): string => `2026-11-29T10:00:0${second}Z stdout F line ${second}\n`;

/** A log of four files. `change` happens once, right after its names have been listed. */
async function changingLog(t: TestContext, change: (folder: string) => Promise<void>) {
  const folder = await tempDir(t);
  const names = ["0.log.20261129-100001", "0.log.20261129-100002", "0.log.20261129-100003", "0.log"];
  for (const [index, name] of names.entries()) await writeFile(join(folder, name), record(index + 1));
  const chain = new LogChain({ folder, name: "0.log" });
  t.after(() => chain.close());
  const oldest = await chain.first();
  assert.ok(oldest !== undefined);
  const list = chain.names.bind(chain);
  let isChanged = false;
  chain.names = async () => {
    const listed = await list();
    if (!isChanged) {
      isChanged = true;
      await change(folder);
    }
    return listed;
  };
  return { chain, oldest };
}

async function compress(path: string): Promise<void> {
  await writeFile(`${path}.gz`, gzipSync(await readFile(path)));
  await unlink(path);
}

test("the next file is found although it is compressed meanwhile", async (t) => {
  const { chain, oldest } = await changingLog(t, (folder) => compress(join(folder, "0.log.20261129-100002")));
  assert.equal((await chain.after(oldest, undefined))?.name, "0.log.20261129-100002.gz");
});

test("the next file is found although the file before it is compressed meanwhile", async (t) => {
  const { chain, oldest } = await changingLog(t, (folder) => compress(join(folder, "0.log.20261129-100001")));
  assert.equal((await chain.after(oldest, undefined))?.name, "0.log.20261129-100002");
});

test("the previous file is found although it is compressed meanwhile", async (t) => {
  const { chain } = await changingLog(t, (folder) => compress(join(folder, "0.log.20261129-100003")));
  const live = await chain.open("0.log");
  assert.ok(live !== undefined);
  assert.equal((await chain.before(live))?.name, "0.log.20261129-100003.gz");
});

test("the newest file is found although the log is rotated meanwhile, and not yet there again", async (t) => {
  const { chain } = await changingLog(t, async (folder) => {
    await rename(join(folder, "0.log"), join(folder, "0.log.20261129-100004"));
  });
  assert.equal((await chain.last())?.name, "0.log.20261129-100004");
});

test("a file with numbers for names is followed by the next although all of them move on meanwhile", async (t) => {
  const folder = await tempDir(t);
  for (const [index, name] of ["app.log.2", "app.log.1", "app.log"].entries())
    await writeFile(join(folder, name), record(index + 1));
  const chain = new LogChain({ folder, name: "app.log" });
  t.after(() => chain.close());
  const oldest = await chain.first();
  assert.ok(oldest !== undefined);
  const list = chain.names.bind(chain);
  let isChanged = false;
  chain.names = async () => {
    const listed = await list();
    if (isChanged) return listed;
    isChanged = true;
    for (const number of [2, 1])
      await rename(join(folder, `app.log.${number}`), join(folder, `app.log.${number + 1}`));
    await rename(join(folder, "app.log"), join(folder, "app.log.1"));
    await writeFile(join(folder, "app.log"), record(4));
    return listed;
  };
  const next = await chain.after(oldest, undefined);
  assert.deepEqual(await next?.source.read(0, 100), Buffer.from(record(2)));
});
