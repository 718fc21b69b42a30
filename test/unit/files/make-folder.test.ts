import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../../../src/files/make-folder.ts";
import { tempDir } from "../../support/temp-dir.ts";

test("makeFolder() makes what is missing with the mode, and leaves what exists as it is", async (t) => {
  const folder = join(await tempDir(t), "old");
  mkdirSync(folder, { mode: 0o755 });
  await makeFolder(join(folder, "a", "b"), 0o700);
  await makeFolder(join(folder, "a"), 0o755);
  const modes = [folder, join(folder, "a"), join(folder, "a", "b")].map(
    (path) => statSync(path).mode & 0o777,
  );
  assert.deepEqual(modes, [0o755, 0o700, 0o700]);
});

test("makeFolder() fails where the kernel takes no new name, and does not try for ever", {
  skip: process.platform !== "linux" && "needs /proc",
}, async () => {
  for (const path of ["/proc/nope", "/proc/nope/deep/down", "/proc/self/nope"]) {
    await assert.rejects(makeFolder(path, 0o755), { code: "ENOENT" }, path);
  }
});

test("makeFolder() fails on a file or a link to nothing in the way", async (t) => {
  const folder = await tempDir(t);
  writeFileSync(join(folder, "file"), "");
  symlinkSync(join(folder, "nothing"), join(folder, "link"));
  for (const [name, code] of [
    ["file", "ENOTDIR"],
    ["file/below", "ENOTDIR"],
    ["link", "EEXIST"],
    ["link/below", "EEXIST"],
  ] as const) {
    await assert.rejects(makeFolder(join(folder, name), 0o755), { code }, name);
  }
  assert.deepEqual(readdirSync(folder).sort(), ["file", "link"]);
});

test("makeFolder() makes nothing of a path that is too long for the system", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "a", "b/".repeat(3000));
  await assert.rejects(makeFolder(path, 0o755), { code: "ENAMETOOLONG" });
  assert.ok(!existsSync(join(folder, "a")));
});

test("makeFolder() succeeds for all who make the same folder at once", async (t) => {
  const path = join(await tempDir(t), "a", "b", "c");
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(path, 0o755)));
  assert.ok(statSync(path).isDirectory());
});
