import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { logFileOf, logFolderOf, makeFolderOf, makeLogFolder } from "../../../src/runtimes/log-folders.ts";

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "crest-log-folders-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const folderOf = (namespace: string, name: string, uid: string, attempt = 0): string =>
  basename(logFolderOf("/logs", { namespace, name, uid, attempt }));

test("logFolderOf() and logFileOf() keep plain names", async (t) => {
  assert.equal(
    logFolderOf("/logs", { namespace: "default", name: "web.a", uid: "u-1" }),
    "/logs/default_web.a_u-1",
  );
  assert.equal(folderOf("default", "web", "u", 3), "default_web_u~3");
  assert.equal(await logFileOf(newFolder(t), "my_app.v2", 1), "my_app.v2/1.log");
});

/** Names that lose characters, are too long, or look like what becomes of another one. */
const names = [
  ...[
    "",
    ".",
    "..",
    "a/b",
    "a-b",
    "a_b",
    "a b",
    "日志",
    "应用",
    "--",
    "\u0000",
    "x".repeat(255),
    "x".repeat(256),
  ],
  ...[`${"y".repeat(5000)}1`, `${"y".repeat(5000)}2`, "é".repeat(200), "~", "a~b", "a\nb"],
];

test("logFileOf() gives each name a file of its own, also those it makes of others", async (t) => {
  const folder = newFolder(t);
  const files = await Promise.all(names.map((name) => logFileOf(folder, name, 0)));
  const madeOfThem = await Promise.all(files.map((file) => logFileOf(folder, dirname(file), 0)));
  const all = new Set([...files, ...madeOfThem.filter((file) => !files.includes(file))]);
  assert.equal(new Set(files).size, names.length);
  assert.ok(all.size > names.length);
  for (const file of all) {
    assert.match(file, /^[^/\0]+\/0\.log$/);
    assert.ok(Buffer.byteLength(dirname(file)) <= 255);
    assert.ok(dirname(file) !== "." && dirname(file) !== "..");
    await makeFolderOf(file, folder);
  }
});

test("logFolderOf() gives each pod a folder of its own", async (t) => {
  const root = newFolder(t);
  const folders = [
    ...names.flatMap((name) => [
      folderOf("n", name, "u"),
      folderOf(name, "p", "u"),
      folderOf("n", "p", name),
    ]),
    ...[
      folderOf("a_b", "c", "u"),
      folderOf("a", "b_c", "u"),
      folderOf("n", "q", "u~1"),
      folderOf("n", "q", "u", 1),
    ],
    ...[folderOf("a/b", "c", "u", 1), folderOf("n", "x".repeat(252), "u".repeat(36)), folderOf("", "", "")],
  ];
  assert.equal(new Set(folders).size, folders.length);
  for (const folder of folders) {
    assert.ok(Buffer.byteLength(folder) <= 255, folder);
    await makeLogFolder(join(root, folder), "/config/logDirectory");
  }
});

test("logFileOf() avoids the files of an earlier container of the same name and attempt", async (t) => {
  const folder = newFolder(t);
  mkdirSync(join(folder, "app"));
  writeFileSync(join(folder, "app/0.log"), "");
  assert.equal(await logFileOf(folder, "app", 0), "app/0~2.log");
  assert.equal(await logFileOf(folder, "app", 1), "app/1.log");
  writeFileSync(join(folder, "app/0~2.log.20260101-000000.gz"), "");
  assert.equal(await logFileOf(folder, "app", 0), "app/0~3.log");
});
