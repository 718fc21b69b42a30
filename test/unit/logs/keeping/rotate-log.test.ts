import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { UntrustedPathError } from "../../../../src/files/trusted-path.ts";
import { compressLog } from "../../../../src/logs/keeping/compress-log.ts";
import { readLogName, rotationTime } from "../../../../src/logs/keeping/log-names.ts";
import { resumeRotation, rotateLog, tidyLog } from "../../../../src/logs/keeping/rotate-log.ts";

function newFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "crest-rotate-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a log as a runtime does: into the file that it has open, whatever that is called now. */
function createWriter(t: TestContext, path: string) {
  const open = (): number => openSync(path, "a");
  let file = open();
  t.after(() => closeSync(file));
  return {
    write: (text: string) => writeSync(file, text),
    async reopen() {
      closeSync(file);
      file = open();
    },
  };
}

const nowMs = Date.UTC(2026, 0, 31, 23, 59, 59);
const fails = async (): Promise<never> => {
  throw new Error("the runtime cannot");
};

test("readLogName() tells a log from its rotated files", () => {
  const plain = { rotatedAt: undefined, form: "plain" };
  assert.deepEqual(readLogName("0.log"), { log: "0.log", ...plain });
  assert.deepEqual(readLogName("0.log.20260131-2359591"), { log: "0.log.20260131-2359591", ...plain });
  const rotatedAt = "20260131-235959";
  for (const [suffix, form] of [
    ["", "plain"],
    [".gz", "gzip"],
    [".tmp", "partial"],
  ] as const)
    assert.deepEqual(readLogName(`0.log.${rotatedAt}${suffix}`), { log: "0.log", rotatedAt, form });
});

test("rotationTime() is later than the newest, also when the clock went back", () => {
  assert.equal(rotationTime(nowMs, undefined), "20260131-235959");
  assert.equal(rotationTime(nowMs + 900, "20260131-235959"), "20260201-000000");
  assert.equal(rotationTime(nowMs, "20300101-000000"), "20300101-000001");
  assert.equal(rotationTime(nowMs, "99999999-999999"), "20260131-235959");
});

test("rotateLog() loses no line and keeps maxFiles, also many times in a second", async (t) => {
  const path = join(newFolder(t), "0.log");
  const writer = createWriter(t, path);
  for (let round = 0; round < 6; round++) {
    writer.write(`before ${round}\n`);
    const reopen = async (): Promise<void> => {
      writer.write(`while ${round}\n`);
      await writer.reopen();
    };
    assert.equal(await rotateLog(path, { maxFiles: 4, reopen, nowMs }), true);
  }
  writer.write("after\n");
  const files = await tidyLog(path);
  const texts = [...files.map((file) => file.path), path].map((file) => readFileSync(file, "utf8"));
  assert.deepEqual(texts, [3, 4, 5].map((round) => `before ${round}\nwhile ${round}\n`).concat("after\n"));
});

test("rotateLog() gives the file its name back when the runtime cannot reopen it", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log");
  const writer = createWriter(t, path);
  writer.write("one\n");
  await assert.rejects(rotateLog(path, { maxFiles: 5, reopen: fails }), /the runtime cannot/);
  writer.write("two\n");
  assert.deepEqual(readdirSync(folder), ["0.log"]);
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("rotateLog() keeps both files when the runtime reopens it and then reports an error", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log");
  const writer = createWriter(t, path);
  writer.write("one\n");
  const reopen = async (): Promise<void> => {
    await writer.reopen();
    await fails();
  };
  assert.equal(await rotateLog(path, { maxFiles: 5, reopen, nowMs }), true);
  writer.write("two\n");
  assert.equal(readFileSync(`${path}.20260131-235959`, "utf8"), "one\n");
  assert.equal(readFileSync(path, "utf8"), "two\n");
});

test("resumeRotation() finishes what a killed gateway began", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log");
  const rotated = `${path}.20260131-235959`;
  writeFileSync(rotated, "one\n");
  await assert.rejects(resumeRotation(path, fails), /the runtime cannot/);
  assert.deepEqual(readdirSync(folder), ["0.log"]);
  rmSync(path);
  writeFileSync(rotated, "one\n");
  await resumeRotation(path, async () => writeFileSync(path, "two\n"));
  assert.deepEqual([readFileSync(rotated, "utf8"), readFileSync(path, "utf8")], ["one\n", "two\n"]);
  // Of a container that has exited.
  rmSync(path);
  await resumeRotation(path, undefined);
  assert.deepEqual(readdirSync(folder), ["0.log"]);
  assert.equal(readFileSync(path, "utf8"), "one\n");
});

test("a file is compressed while the log is rotated again and again", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log");
  const writer = createWriter(t, path);
  const old = `${path}.20260131-000001`;
  const bytes = randomBytes(2 ** 21);
  writeFileSync(old, bytes);
  let isDone = false;
  const compressed = compressLog(old).finally(() => {
    isDone = true;
  });
  let rotations = 0;
  for (; !isDone; rotations++) {
    writer.write(`${rotations}\n`);
    await rotateLog(path, { maxFiles: 1000, reopen: writer.reopen, nowMs });
  }
  assert.equal(await compressed, true);
  assert.ok(rotations > 1, `${rotations} rotations`);
  assert.deepEqual(gunzipSync(readFileSync(`${old}.gz`)), bytes);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes("0131-000001")),
    ["0.log.20260131-000001.gz"],
  );
});

test("tidyLog() removes what interrupted work has left, and nothing else", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log");
  writeFileSync(path, "now");
  // Restoring a name was interrupted between link and unlink.
  linkSync(path, `${path}.20260131-000005`);
  const others = [
    "0.log.20260131-000001.gz",
    "0.log.20260131-000003",
    "1.log.20260131-000001.tmp",
    "10.log",
    "0.log.x",
  ];
  for (const name of [...others, "0.log.20260131-000001", "0.log.20260131-000002.tmp"])
    writeFileSync(join(folder, name), name);
  symlinkSync("/etc/hostname", `${path}.20260131-000009`);
  const found = await tidyLog(path);
  assert.deepEqual(
    found.map(({ path: file, form }) => [file, form]),
    [
      [`${path}.20260131-000001.gz`, "gzip"],
      [`${path}.20260131-000003`, "plain"],
    ],
  );
  assert.deepEqual(readdirSync(folder).sort(), ["0.log", "0.log.20260131-000009", ...others].sort());
});

test("rotateLog() leaves links and folders alone", async (t) => {
  const folder = newFolder(t);
  const elsewhere = join(folder, "elsewhere");
  writeFileSync(elsewhere, "mine");
  const path = join(folder, "0.log");
  symlinkSync(elsewhere, path);
  assert.equal(await rotateLog(path, { maxFiles: 5, reopen: fails }), false);
  assert.deepEqual(readdirSync(folder).sort(), ["0.log", "elsewhere"]);

  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real/0.log"), "x");
  symlinkSync(join(folder, "real"), join(folder, "link"));
  await assert.rejects(
    rotateLog(join(folder, "link/0.log"), { maxFiles: 5, reopen: fails }),
    /leads elsewhere/,
  );
  chmodSync(join(folder, "real"), 0o777);
  const inOpen = rotateLog(join(folder, "real/0.log"), { maxFiles: 5, reopen: fails });
  await assert.rejects(inOpen, UntrustedPathError);
  assert.deepEqual(readdirSync(join(folder, "real")), ["0.log"]);
});

test("compressLog() keeps content, mode and time", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log.20260131-235959");
  const content = Buffer.concat([randomBytes(300_000), Buffer.alloc(3_000_000, "x")]);
  writeFileSync(path, content, { mode: 0o640 });
  const mtime = new Date(Date.UTC(2026, 0, 1));
  utimesSync(path, mtime, mtime);
  assert.equal(await compressLog(path), true);
  assert.deepEqual(readdirSync(folder), ["0.log.20260131-235959.gz"]);
  const stats = statSync(`${path}.gz`);
  assert.equal(stats.mode & 0o777, 0o640);
  assert.equal(stats.mtimeMs, mtime.getTime());
  assert.ok(gunzipSync(readFileSync(`${path}.gz`)).equals(content));
});

test("compressLog() leaves a file that grows, a link, and one whose compression is aborted", async (t) => {
  const folder = newFolder(t);
  const path = join(folder, "0.log.20260131-235959");
  writeFileSync(path, randomBytes(4_000_000));
  const timer = setInterval(() => appendFileSync(path, "y"), 1);
  const isCompressed = await compressLog(path).finally(() => clearInterval(timer));
  assert.equal(isCompressed, false);
  await assert.rejects(compressLog(path, AbortSignal.abort()), { name: "AbortError" });
  assert.deepEqual(readdirSync(folder), ["0.log.20260131-235959"]);
  symlinkSync(path, `${path}1`);
  await assert.rejects(compressLog(`${path}1`), { code: "ELOOP" });
  assert.ok(existsSync(path));
});
