import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKeptLogs, type KeptLog } from "../../../../src/logs/keeping/kept-logs.ts";

function newFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "crest-kept-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const fileIn = (folder: string): string => join(folder, "kept-logs.jsonl");

const logOf = (path: string, removedAtMs?: number): KeptLog => ({
  path,
  removedAtMs,
  owner: {
    id: path,
    name: "app",
    attempt: 0,
    podSandboxId: "p",
    pod: "web",
    namespace: "demo",
    labels: { a: path },
  },
});

const idsOf = (folder: string): readonly string[] =>
  createKeptLogs(folder)
    .select({})
    .map(({ owner }) => owner.id);

test("note() has written a log when it returns, and the last note of a log counts", (t) => {
  const folder = newFolder(t);
  const kept = createKeptLogs(folder);
  kept.note(logOf("a/0.log"));
  kept.note(logOf("b/0.log"));
  kept.note(logOf("a/0.log", 5));
  kept.note(logOf("c/0.log", 9));
  assert.deepEqual(createKeptLogs(folder).get("a/0.log"), logOf("a/0.log", 5));
  // Those that have a container come first, then the one that was removed last.
  assert.deepEqual(idsOf(folder), ["b/0.log", "c/0.log", "a/0.log"]);
  const matches = ({ a }: { readonly [key: string]: string }) => a === "c/0.log";
  assert.deepEqual(kept.select({ matches, pod: "web" }), [logOf("c/0.log", 9)]);
});

test("a line that was not written completely spoils no other", (t) => {
  const folder = newFolder(t);
  createKeptLogs(folder).note(logOf("a/0.log"));
  appendFileSync(fileIn(folder), '\n{"path":"b/0.log","own');
  createKeptLogs(folder).note(logOf("c/0.log"));
  assert.deepEqual(idsOf(folder), ["a/0.log", "c/0.log"]);
});

test("compact() leaves one line for each log, and loses none that is noted meanwhile", async (t) => {
  const folder = newFolder(t);
  const kept = createKeptLogs(folder);
  for (let n = 0; n < 10; n++) kept.note(logOf("a/0.log", n));
  kept.note(logOf("b/0.log"));
  kept.forget("b/0.log");
  const compacted = kept.compact();
  kept.note(logOf("c/0.log"));
  await compacted;
  assert.deepEqual(idsOf(folder), ["c/0.log", "a/0.log"]);
  assert.equal(readFileSync(fileIn(folder), "utf8").trim().split("\n").length, 2);
});

test("compact() forgets the containers that were removed first, but not when", async (t) => {
  const folder = newFolder(t);
  const lines = Array.from({ length: 10_003 }, (_, n) => JSON.stringify(logOf(`${n}/0.log`, n)));
  writeFileSync(fileIn(folder), lines.join("\n"), { mode: 0o600 });
  const kept = createKeptLogs(folder);
  await kept.compact();
  assert.equal(idsOf(folder).length, 10_000);
  assert.deepEqual(createKeptLogs(folder).get("2/0.log"), {
    path: "2/0.log",
    removedAtMs: 2,
    owner: undefined,
  });
});

test("a file that is a link is not written to, and compact() replaces it", async (t) => {
  const folder = newFolder(t);
  const victim = join(folder, "victim");
  writeFileSync(victim, "mine");
  symlinkSync(victim, fileIn(folder));
  const kept = createKeptLogs(folder);
  kept.note(logOf("b/0.log"));
  await kept.compact();
  kept.note(logOf("c/0.log"));
  assert.equal(readFileSync(victim, "utf8"), "mine");
  assert.deepEqual(idsOf(folder), ["b/0.log", "c/0.log"]);
});
