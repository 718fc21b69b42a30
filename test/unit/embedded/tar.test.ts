import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { type TarEntry, tar } from "../../../src/embedded/tar.ts";

const entries: readonly TarEntry[] = [
  { kind: "directory", path: "tmp", mode: 0o1777 },
  { kind: "file", path: "tmp/hello", mode: 0o644, bytes: Buffer.from("hello\n") },
  { kind: "file", path: "empty", mode: 0o600, bytes: Buffer.alloc(0) },
  { kind: "symlink", path: "bin/sh", mode: 0o777, target: "busybox" },
];

const skip = spawnSync("tar", ["--version"]).status === 0 ? false : "needs tar(1)";

test("tar() writes what tar(1) lists: types, modes, owners, sizes, links", { skip }, () => {
  const options = { input: tar(entries), env: { TZ: "UTC" } };
  const listed = spawnSync("tar", ["--list", "--verbose", "--numeric-owner", "--file", "-"], options);
  assert.equal(listed.stderr.toString(), "");
  assert.deepEqual(listed.stdout.toString().trimEnd().replaceAll(/ +/g, " ").split("\n"), [
    "drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/",
    "-rw-r--r-- 0/0 6 1970-01-01 00:00 tmp/hello",
    "-rw------- 0/0 0 1970-01-01 00:00 empty",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/sh -> busybox",
  ]);
});

test("tar() gives file contents back, whatever their size is to the block", { skip }, () => {
  for (const size of [0, 1, 511, 512, 513, 70_000]) {
    const bytes = Buffer.alloc(size, "abc");
    const input = tar([{ kind: "file", path: "file", mode: 0o644, bytes }]);
    const extracted = spawnSync("tar", ["--extract", "--to-stdout", "--file", "-", "file"], { input });
    assert.ok(extracted.stdout.equals(bytes), `${size} bytes`);
  }
});

test("tar() is whole blocks and ends with two empty ones", () => {
  const archive = tar(entries);
  assert.equal(archive.length, (entries.length + 1 + 2) * 512);
  assert.ok(archive.subarray(-1024).every((byte) => byte === 0));
});

test("tar() refuses a path or target that a plain header cannot hold", () => {
  const long = "x".repeat(101);
  assert.throws(() => tar([{ kind: "symlink", path: long, mode: 0o777, target: "a" }]), RangeError);
  assert.throws(() => tar([{ kind: "symlink", path: "a", mode: 0o777, target: long }]), RangeError);
});
