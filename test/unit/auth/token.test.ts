import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { createAuthenticator, loadToken } from "../../../src/auth/token.ts";
import { GatewayError, StartError } from "../../../src/errors.ts";
import { tempDir } from "../../support/temp-dir.ts";

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
    await refused(path, new RegExp(`has mode ${mode.toString(8)}: .*chmod 600`));
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
  for (const text of ["", "\n", "short", "x".repeat(15), "two words in it here", `${good}\n${good}`]) {
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

test("what is no file, and where none can be made, is one clear sentence", async (t) => {
  const folder = await tempDir(t);
  await mkdir(join(folder, "folder"), { mode: 0o700 });
  await refused(join(folder, "folder"), /Cannot read .*EISDIR/);
  await writeFile(join(folder, "file"), "");
  await refused(join(folder, "file", "token"), /Cannot (make|read) .*ENOTDIR/);
});

test("the token opens, in any case of the scheme and with any number of spaces", () => {
  const check = createAuthenticator(good);
  for (const header of [`Bearer ${good}`, `bearer ${good}`, `BEARER   ${good}`, `Bearer ${good}  `])
    check(header);
});

test("anything but the token is refused, and the refusal tells nothing of it", () => {
  const check = createAuthenticator(good);
  const wrong = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    good,
    `Basic ${good}`,
    `Bearer${good}`,
    `Bearer ${good}x`,
  ];
  wrong.push(`Bearer ${good.slice(0, -1)}`, `Bearer ${good.toUpperCase()}`, `Bearer ${good} ${good}`);
  wrong.push(`Token ${good}`, `Bearer "${good}"`, ` Bearer ${good}`, `Bearer\t${good}`, `Bearer ${good},`);
  wrong.push(`Bearer ${"x".repeat(100_000)}`, `Bearer\n${good}`);
  for (const header of wrong) {
    assert.throws(
      () => check(header),
      (error: unknown) => {
        assert.ok(error instanceof GatewayError);
        assert.equal(error.code, "unauthenticated");
        assert.ok(!JSON.stringify(error).includes(good) && !error.message.includes(good));
        assert.deepEqual([error.errors, error.members], [[], {}]);
        return true;
      },
      String(header),
    );
  }
});
