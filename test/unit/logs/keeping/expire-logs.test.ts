import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ExpireOptions, expireLogs } from "../../../../src/logs/keeping/expire-logs.ts";
import { createKeptLogs } from "../../../../src/logs/keeping/kept-logs.ts";

const hour = 3_600_000;

interface World {
  readonly dataDir: string;
  readonly root: string;
  /** Writes a log of 1000 bytes that was last changed at `atMs`. */
  write(path: string, atMs?: number): void;
  expire(options?: Partial<ExpireOptions> & { readonly inUse?: readonly string[] }): Promise<number>;
  /** The files that are left. */
  files(): readonly string[];
}

function newWorld(t: TestContext): World {
  const dataDir = realpathSync(mkdtempSync(join(tmpdir(), "crest-expire-")));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const root = join(dataDir, "logs");
  mkdirSync(root);
  return {
    dataDir,
    root,
    write(path, atMs = 0) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), Buffer.alloc(1000));
      utimesSync(join(root, path), atMs / 1000, atMs / 1000);
    },
    expire: ({ inUse = [], ...options } = {}) =>
      expireLogs({
        // Each time as after a restart.
        ...{ kept: createKeptLogs(dataDir), root, keepMs: 24 * hour, totalBytes: 0, settleMs: hour },
        existing: async () => ({ paths: new Set(inUse.map((path) => join(root, path))), podIds: new Set() }),
        ...options,
      }),
    files: () =>
      filesBelow(root)
        .map((path) => path.slice(root.length + 1))
        .sort(),
  };
}

/** Files and links, which are not followed: Node 24's recursive readdir() does. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

test("expireLogs() keeps the log of a removed container for keepMs after its removal, over restarts", async (t) => {
  const world = newWorld(t);
  world.write("pod/app/0.log");
  world.write("pod/app/0.log.20260101-000000.gz");
  world.write("pod/other/0.log");
  const inUse = ["pod/other/0.log"];
  // It had been silent for long when it was removed.
  assert.equal(await world.expire({ nowMs: 100 * hour, inUse }), 0);
  assert.equal(await world.expire({ nowMs: 123.9 * hour, inUse }), 0);
  assert.equal(await world.expire({ nowMs: 124 * hour, inUse }), 2);
  assert.deepEqual(world.files(), inUse);
});

test("expireLogs() never removes the log of a container that exists, however old and large", async (t) => {
  const world = newWorld(t);
  world.write("pod/app/0.log");
  world.write("pod/app/0.log.20260101-000000");
  const options = { inUse: ["pod/app/0.log"], totalBytes: 1 };
  for (const at of [1, 100, 10_000]) assert.equal(await world.expire({ ...options, nowMs: at * hour }), 0);
  // Its time begins again when it is removed, also if it was taken for removed before.
  await world.expire({ nowMs: 10_001 * hour });
  await world.expire({ ...options, nowMs: 10_002 * hour });
  assert.equal(await world.expire({ nowMs: 10_030 * hour }), 0);
  assert.equal(world.files().length, 2);
});

test("expireLogs() removes the oldest of the logs that are too much, file by file", async (t) => {
  const world = newWorld(t);
  for (const pod of ["a", "b", "c"]) {
    world.write(`${pod}/app/0.log`);
    world.write(`${pod}/app/0.log.20260101-000001`);
    world.write(`${pod}/app/0.log.20260101-000000.gz`);
  }
  await world.expire({ nowMs: hour, inUse: ["a/app/0.log", "c/app/0.log"] });
  await world.expire({ nowMs: 2 * hour, inUse: ["a/app/0.log"] });
  await world.expire({ nowMs: 3 * hour });
  assert.equal(await world.expire({ nowMs: 4 * hour, totalBytes: 5000 }), 4);
  const left = ["0.log", "0.log.20260101-000000.gz", "0.log.20260101-000001"].map((name) => `a/app/${name}`);
  assert.deepEqual(world.files(), [...left, "c/app/0.log", "c/app/0.log.20260101-000001"]);
});

test("expireLogs() gives a log that it has just found, or that is being written, time to be known", async (t) => {
  const world = newWorld(t);
  world.write("new/app/0.log", 99.5 * hour);
  assert.equal(await world.expire({ nowMs: 100 * hour, totalBytes: 1 }), 0);
  assert.equal(await world.expire({ nowMs: 100.4 * hour, totalBytes: 1 }), 0);
  world.write("new/app/0.log", 101 * hour);
  assert.equal(await world.expire({ nowMs: 101.1 * hour, totalBytes: 1 }), 0);
  assert.equal(await world.expire({ nowMs: 102 * hour, totalBytes: 1 }), 1);
});

test("expireLogs() touches neither links, their targets, other users' folders, nor other files of the data folder", async (t) => {
  const world = newWorld(t);
  const elsewhere = join(world.dataDir, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "0.log"), "mine");
  mkdirSync(join(world.root, "pod"));
  symlinkSync(elsewhere, join(world.root, "pod/link"));
  symlinkSync(join(elsewhere, "0.log"), join(world.root, "pod/0.log"));
  symlinkSync(elsewhere, join(world.root, "linked-pod"));
  world.write("open/0.log");
  chmodSync(join(world.root, "open"), 0o777);
  writeFileSync(join(world.root, "note"), "not in a pod's folder");
  await world.expire({ nowMs: 1 * hour });
  assert.equal(await world.expire({ nowMs: 1000 * hour, totalBytes: 1 }), 0);
  assert.equal(readFileSync(join(elsewhere, "0.log"), "utf8"), "mine");
  assert.deepEqual(world.files(), ["linked-pod", "note", "open/0.log", "pod/0.log", "pod/link"]);
});

test("expireLogs() removes nothing when the runtime does not say what exists", async (t) => {
  const world = newWorld(t);
  world.write("pod/app/0.log");
  await world.expire({ nowMs: hour });
  const existing = async (): Promise<never> => {
    throw new Error("the runtime is away");
  };
  await assert.rejects(world.expire({ nowMs: 1000 * hour, existing }), /away/);
  assert.deepEqual(world.files(), ["pod/app/0.log"]);
});

test("expireLogs() starts over when its record is damaged or from the future", async (t) => {
  const path = '"path":"pod/app/0.log"';
  for (const text of ["{", "[]", `{${path},"removedAtMs":"x"}`, `{${path},"removedAtMs":1e15}`, "null"]) {
    const world = newWorld(t);
    world.write("pod/app/0.log");
    writeFileSync(join(world.dataDir, "kept-logs.jsonl"), text, { mode: 0o600 });
    assert.equal(await world.expire({ nowMs: 1000 * hour }), 0, text);
    assert.equal(await world.expire({ nowMs: 1024 * hour }), 1, text);
  }
});

test("expireLogs() keeps the log that CRI-O has for a pod, and folders until they are old", async (t) => {
  const world = newWorld(t);
  const id = "a".repeat(64);
  world.write(`pod/${id}.log`);
  mkdirSync(join(world.root, "new"));
  const existing = async () => ({ paths: new Set<string>(), podIds: new Set([id]) });
  await world.expire({ nowMs: Date.now() - hour, existing });
  assert.equal(await world.expire({ nowMs: Date.now() + 0.5 * hour, existing, totalBytes: 1 }), 0);
  assert.ok(existsSync(join(world.root, "new")));
  await world.expire({ nowMs: Date.now() + 2 * hour, existing });
  assert.ok(!existsSync(join(world.root, "new")));
  assert.deepEqual(world.files(), [`pod/${id}.log`]);
});
