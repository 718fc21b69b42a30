import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, link, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { loadToken } from "../../../src/access/token.ts";
import { StartError } from "../../../src/errors.ts";
import { tempDir } from "../../support/temp-dir.ts";

const needsRoot = process.geteuid?.() === 0 ? false : "needs root, to give files to another user";

const good = "a-token-of-enough-characters";

const permissions = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

async function refused(path: string, message: RegExp): Promise<void> {
  await assert.rejects(loadToken(path), (error: unknown) => {
    assert.ok(error instanceof StartError, String(error));
    assert.match(error.message, message);
    assert.ok(error.message.includes(path), "the file is named");
    assert.ok(!error.message.includes(good), "the token is not shown");
    return true;
  });
}

test("a token is made where there is none: long, for its owner only, and the same the next time", async (t) => {
  const path = join(await tempDir(t), "deep", "down", "token");
  const umask = process.umask(0);
  try {
    const token = await loadToken(path);
    assert.match(token, /^[\w-]{43}$/);
    assert.equal(await permissions(path), 0o600);
    assert.equal(await permissions(dirname(path)), 0o700);
    assert.equal(await readFile(path, "utf8"), `${token}\n`);
    assert.equal(await loadToken(path), token);
  } finally {
    process.umask(umask);
  }
});

test("no two tokens are the same", async (t) => {
  const folder = await tempDir(t);
  const tokens = await Promise.all(
    Array.from({ length: 20 }, (_, number) => loadToken(join(folder, `${number}`))),
  );
  assert.equal(new Set(tokens).size, 20);
});

test("a token file that others may read, write or run is refused with the command that mends it", async (t) => {
  const path = join(await tempDir(t), "token");
  await writeFile(path, good);
  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o601, 0o620, 0o602, 0o777, 0o440]) {
    await chmod(path, mode);
    await refused(path, new RegExp(`has mode ${mode.toString(8)}, .*chmod 600`));
  }
  for (const mode of [0o600, 0o400, 0o700]) {
    await chmod(path, mode);
    assert.equal(await loadToken(path), good);
  }
});

test("a symbolic link leads to the token, and to the modes that count", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "token");
  const target = join(folder, "..data");
  await symlink(target, path);
  // Secrets of Kubernetes are mounted so.
  await writeFile(target, good, { mode: 0o600 });
  assert.equal(await loadToken(path), good);
  await chmod(target, 0o644);
  await refused(path, /has mode 644/);
});

test("a symbolic link to nothing is refused, and nothing is made behind it", async (t) => {
  const folder = await tempDir(t);
  await symlink(join(folder, "elsewhere"), join(folder, "token"));
  await refused(join(folder, "token"), /Cannot read .*ENOENT/);
  assert.deepEqual(await readdir(folder), ["token"]);
});

test("what is no single printable token of 16 characters is refused", async (t) => {
  const path = join(await tempDir(t), "token");
  for (const text of ["\n", "short", "x".repeat(15), "two words in it here", `${good}\n${good}`]) {
    await writeFile(path, text, { mode: 0o600 });
    await refused(path, /must hold one token of at least 16/);
  }
  for (const text of [`tab\t${good}`, `${good}é`, `\u0000${good}`, `\ufefft\u200b${good}`]) {
    await writeFile(path, text);
    await refused(path, /must hold one token/);
  }
  for (const text of ["x".repeat(16), `${good}\n`, `${good}\r\n`, `  ${good}  `]) {
    await writeFile(path, text);
    assert.equal(await loadToken(path), text.trim());
  }
});

/** What a process says that makes a token, started by a line of the shell. */
function loadElsewhere(path: string, before: string): Promise<string> {
  const module = import.meta.resolve(`../../../src/access/token${import.meta.url.slice(-3)}`);
  const script = `import { loadToken } from ${JSON.stringify(module)};
    console.log(await loadToken(${JSON.stringify(path)}).catch((error) => error.message));`;
  const node = [process.execPath, "--input-type=module", "--eval", script];
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", `${before} exec "$@"`, "sh", ...node], (error, stdout) =>
      error ? reject(error) : resolve(stdout.trim()),
    );
  });
}

test("a token that cannot be written whole leaves nothing behind, and the next start makes one", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "token");
  // No file may grow any more, as on a full disk.
  const said = await loadElsewhere(path, "trap '' XFSZ; ulimit -f 0;");
  assert.equal(
    said,
    `Cannot create the token file ${path}: EFBIG, choose another with --token-file or --data-dir`,
  );
  assert.deepEqual(await readdir(folder), []);
  assert.match(await loadToken(path), /^[\w-]{43}$/);
});

test("gateways that start at once get the same token", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "token");
  const tokens = await Promise.all([
    ...Array.from({ length: 20 }, () => loadToken(path)),
    ...Array.from({ length: 3 }, () => loadElsewhere(path, "")),
  ]);
  assert.deepEqual(new Set(tokens), new Set([(await readFile(path, "utf8")).trim()]));
  assert.deepEqual(await readdir(folder), ["token"]);
});

test("the second name that a killed start left is removed, and another hard link is refused", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "token");
  const token = await loadToken(path);
  await link(path, `${path}.new-0123456789ab`);
  assert.equal(await loadToken(path), token);
  assert.deepEqual(await readdir(folder), ["token"]);
  await link(path, join(folder, "another"));
  await refused(path, /is a hard link, one of 2 names of its file: run rm /);
});

test("an empty token file is refused with the command that mends it, and stays", async (t) => {
  const path = join(await tempDir(t), "token");
  await writeFile(path, "", { mode: 0o600 });
  await refused(path, /is empty, .*: run rm \S+token, and the next start creates a new one/);
  assert.equal(await readFile(path, "utf8"), "");
});

test("a token of another user, or below a folder of theirs, is refused", { skip: needsRoot }, async (t) => {
  const folder = join(await tempDir(t), "theirs");
  const path = join(folder, "token");
  await mkdir(folder, { mode: 0o700 });
  await writeFile(path, good, { mode: 0o600 });
  await chown(path, 65534, 65534);
  await refused(path, /token belongs to user 65534/);
  await chown(path, 0, 0);
  assert.equal(await loadToken(path), good);
  await chown(folder, 65534, 65534);
  await refused(path, /theirs belongs to user 65534/);
  await refused(join(folder, "new"), /theirs belongs to user 65534/);
  assert.deepEqual(await readdir(folder), ["token"]);
});

test("a token may lie in a folder with the sticky bit, as those of Kubernetes' secrets are", async (t) => {
  const folder = await tempDir(t);
  await mkdir(join(folder, "..2026"));
  await writeFile(join(folder, "..2026", "token"), good, { mode: 0o400 });
  await symlink("..2026", join(folder, "..data"));
  await symlink("..data/token", join(folder, "token"));
  await chmod(folder, 0o1777);
  assert.equal(await loadToken(join(folder, "token")), good);
  await chmod(folder, 0o777);
  await refused(join(folder, "token"), /has mode 777, so others can replace what is below it/);
});

test("what is no file, and where none can be made, is one clear sentence", async (t) => {
  const folder = await tempDir(t);
  await mkdir(join(folder, "folder"), { mode: 0o700 });
  await refused(join(folder, "folder"), /Cannot read .*EISDIR/);
  await writeFile(join(folder, "file"), "");
  await refused(join(folder, "file", "token"), /Cannot (create|read) .*ENOTDIR/);
});
