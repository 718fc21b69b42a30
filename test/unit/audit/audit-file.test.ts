/** The file of the audit log: what it survives, and what it refuses. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type AuditFile, type AuditFileOptions, openAuditFile } from "../../../src/audit/audit-file.ts";
import { StartError } from "../../../src/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { tempDir } from "../../support/temp-dir.ts";

const needsRoot = process.geteuid?.() === 0 ? false : "needs root, to give files to another user";

interface Opened {
  readonly path: string;
  readonly file: AuditFile;
  readonly warnings: readonly string[];
}

async function opened(t: TestContext, options: Partial<AuditFileOptions> = {}): Promise<Opened> {
  const path = options.path ?? join(await tempDir(t), "audit.log");
  const warnings: string[] = [];
  const limits = { auditMaxSizeBytes: 0, auditMaxFiles: 3 };
  const file = await openAuditFile({ ...limits, ...options, path, warn: (text) => void warnings.push(text) });
  t.after(() => file.close());
  return { path, file, warnings };
}

const linesOf = (path: string): readonly string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

test("append() creates the file for its owner, with its folder, and goes on after a restart", async (t) => {
  const path = join(await tempDir(t), "deep", "audit.log");
  const first = await opened(t, { path });
  first.file.append("one");
  first.file.close();
  const second = await opened(t, { path });
  second.file.append("two");
  assert.deepEqual(linesOf(path), ["one", "two"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
});

test("openAuditFile() refuses what others could have written, links and what is no file", async (t) => {
  const folder = await tempDir(t);
  const writable = join(folder, "writable.log");
  writeFileSync(writable, "");
  chmodSync(writable, 0o662);
  const linked = join(folder, "linked.log");
  writeFileSync(linked, "");
  linkSync(linked, join(folder, "other-name.log"));
  mkdirSync(join(folder, "folder.log"));
  const refused = async (path: string, message: RegExp): Promise<void> => {
    await assert.rejects(
      opened(t, { path }),
      (error: unknown) =>
        error instanceof StartError &&
        message.test(error.message) &&
        error.message.startsWith("--audit-file: "),
    );
  };
  await refused(writable, /has mode 662, .*run chmod go-w/);
  await refused(linked, /hard link/);
  await refused(join(folder, "folder.log"), /EISDIR/);
  await refused("/dev/full", /not a regular file/);
  await refused("/proc/nothing/audit.log", /ENOENT|EACCES/);
});

test("openAuditFile() refuses the file and the folder of another user", { skip: needsRoot }, async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "audit.log");
  writeFileSync(path, "");
  chownSync(path, 65_534, 65_534);
  await assert.rejects(opened(t, { path }), /belongs to user 65534/);
  mkdirSync(join(folder, "theirs"));
  chownSync(join(folder, "theirs"), 65_534, 65_534);
  await assert.rejects(opened(t, { path: join(folder, "theirs", "audit.log") }), /belongs to user 65534/);
});

test("append() follows logrotate: a moved, removed or truncated file, also a compressed one", async (t) => {
  const { path, file } = await opened(t);
  file.append("one");
  renameSync(path, `${path}.1`);
  file.append("two");
  assert.deepEqual([linesOf(`${path}.1`), linesOf(path)], [["one"], ["two"]]);
  rmSync(path);
  file.append("three");
  assert.deepEqual(linesOf(path), ["three"]);
  truncateSync(path);
  file.append("four");
  assert.deepEqual(linesOf(path), ["four"]);
});

test("append() refuses a file that was put in its place, and takes it once it is right", async (t) => {
  const { path, file } = await opened(t);
  file.append("one");
  rmSync(path);
  const elsewhere = `${path}.elsewhere`;
  symlinkSync(elsewhere, path);
  assert.throws(() => file.append("two"), /symbolic link/);
  assert.throws(() => readFileSync(elsewhere));
  rmSync(path);
  writeFileSync(path, "", { mode: 0o600 });
  chmodSync(path, 0o666);
  assert.throws(() => file.append("three"), /has mode 666/);
  chmodSync(path, 0o640);
  file.append("four");
  assert.deepEqual(linesOf(path), ["four"]);
});

test("append() begins a line of its own where the last one was cut off", async (t) => {
  const path = join(await tempDir(t), "audit.log");
  writeFileSync(path, '{"kind":"Event"}\n{"kind":"Ev', { mode: 0o600 });
  const { file } = await opened(t, { path });
  file.append("next");
  assert.deepEqual(linesOf(path), ['{"kind":"Event"}', '{"kind":"Ev', "next"]);
});

test("append() rotates before a file is too large, and keeps so many", async (t) => {
  const { path, file, warnings } = await opened(t, { auditMaxSizeBytes: 20 });
  const lines = Array.from({ length: 9 }, (_, index) => `line ${index}`);
  for (const line of lines) file.append(line);
  const names = readdirSync(dirname(path)).sort();
  assert.equal(names.length, 3);
  for (const name of names.slice(1)) assert.match(name, /^audit\.log\.\d{8}-\d{6}$/);
  const kept = [...names.slice(1), "audit.log"].flatMap((name) => linesOf(join(dirname(path), name)));
  assert.deepEqual(kept, lines.slice(-kept.length));
  assert.ok(names.every((name) => statSync(join(dirname(path), name)).size <= 20));
  assert.deepEqual(warnings, []);
});

test("append() takes a line that is larger than a file may be, and no file of others for its own", async (t) => {
  const { path, file } = await opened(t, { auditMaxSizeBytes: 10 });
  const others = [
    "audit.log.1",
    "audit.log.20260101-000000.gz",
    "audit.log-20260101",
    "other.log.20260101-000000",
  ];
  for (const name of others) writeFileSync(join(dirname(path), name), "");
  for (const line of ["a".repeat(64), "b".repeat(64), "c".repeat(64), "d"]) file.append(line);
  const names = readdirSync(dirname(path));
  assert.ok(others.every((name) => names.includes(name)));
  assert.equal(names.length, others.length + 3);
});

test("append() goes on with the file when it cannot rotate", async (t) => {
  const { path, file, warnings } = await opened(t, { auditMaxSizeBytes: 10, auditMaxFiles: 2 });
  // A folder cannot be unlinked, even by root.
  mkdirSync(`${path}.20000101-000000`);
  for (const line of ["first line", "second line", "third line"]) file.append(line);
  assert.match(String(warnings[0]), /^Cannot rotate the audit log .*audit\.log: E/);
  const names = readdirSync(dirname(path)).filter((name) => !name.endsWith("000000"));
  assert.deepEqual(
    names
      .toSorted()
      .flatMap((name) => linesOf(join(dirname(path), name)))
      .toSorted(),
    ["first line", "second line", "third line"],
  );
});

test("two gateways append whole lines to one file, and both follow a rotation", async (t) => {
  const path = join(await tempDir(t), "audit.log");
  const [one, other] = [
    await opened(t, { path, auditMaxSizeBytes: 200, auditMaxFiles: 1000 }),
    await opened(t, { path }),
  ];
  for (let count = 0; count < 50; count++) {
    one.file.append(`one ${count}`);
    other.file.append(`other ${count}`);
  }
  const all = readdirSync(dirname(path)).flatMap((name) => linesOf(join(dirname(path), name)));
  assert.equal(new Set(all).size, 100);
});

test("a process that is killed leaves whole lines but for the last, and the next goes on", async (t) => {
  const path = join(await tempDir(t), "audit.log");
  const script = `
    const { openAuditFile } = await import(${JSON.stringify(new URL("../../../src/audit/audit-file.js", import.meta.url).href)});
    const file = await openAuditFile({ path: ${JSON.stringify(path)}, auditMaxSizeBytes: 0, auditMaxFiles: 2, warn() {} });
    for (let count = 0; ; count++) file.append(JSON.stringify({ count, text: "x".repeat(4096) }));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "inherit" });
  await eventually(() => statSync(path).size > 100_000);
  child.kill("SIGKILL");
  await once(child, "exit");
  appendFileSync(path, '{"count":');
  const { file } = await opened(t, { path });
  file.append('{"count":"last"}');
  const lines = linesOf(path);
  assert.equal(lines.at(-1), '{"count":"last"}');
  for (const [index, line] of lines.slice(0, -2).entries()) assert.equal(JSON.parse(line).count, index);
});
