import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKnownCallers } from "../../../../src/access/callers/known-callers.ts";
import {
  changeTokensFile,
  newToken,
  readTokensFile,
  sha256,
} from "../../../../src/access/callers/token-store.ts";
import { withoutToken, withToken } from "../../../../src/access/callers/token-tree.ts";
import type { StoredToken } from "../../../../src/access/callers/tokens-file.ts";
import { StartError } from "../../../../src/errors.ts";
import { eventually } from "../../../support/eventually.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const grants = { all: true, allow: {}, deny: {} };

const entry = (name: string, token: string, more: object = {}) => ({
  ...{ name, sha256: sha256(token), grants: { allow: { exec: true } } },
  ...more,
});

async function known(t: TestContext, content?: object) {
  const path = join(await tempDir(t), "tokens.json");
  if (content !== undefined) await writeFile(path, JSON.stringify(content), { mode: 0o600 });
  const refused: string[] = [];
  const callers = createKnownCallers({ path, grants, refuse: (error) => refused.push(String(error)) });
  t.after(() => callers.close());
  /** Replaces the file as a whole. */
  const replace = async (text: string | object): Promise<void> => {
    await writeFile(`${path}.x`, typeof text === "string" ? text : JSON.stringify(text), { mode: 0o600 });
    await rename(`${path}.x`, path);
  };
  return { path, callers, refused, replace };
}

test("an absent file has no callers, and its tokens count as soon as it is there", async (t) => {
  const { callers, replace } = await known(t);
  assert.equal(callers.byToken(sha256("one")), undefined);
  await replace({ tokens: [entry("ci", "one")] });
  assert.equal(callers.byToken(sha256("one"))?.name, "ci");
});

test("a token that was revoked or changed ends within a moment, and the others stay the same", async (t) => {
  const { callers, replace } = await known(t, { tokens: [entry("a", "one"), entry("b", "two")] });
  const [a, b] = [callers.byToken(sha256("one")), callers.byToken(sha256("two"))];
  assert.ok(a?.whyOver && b?.whyOver);
  assert.equal(a.whyOver(), undefined);
  await replace({ tokens: [entry("b", "two"), entry("c", "three")] });
  assert.match(await eventually(() => a.whyOver?.()), /^The token "a" was revoked or changed$/);
  assert.equal(callers.byToken(sha256("two")), b);
  assert.equal(b.whyOver(), undefined);
  await replace({ tokens: [entry("b", "two", { grants: {} })] });
  await eventually(() => b.whyOver?.());
  assert.deepEqual(callers.byToken(sha256("two"))?.layers, [{ all: false, allow: {}, deny: {} }]);
});

test("an expired token is known as such", async (t) => {
  const { callers } = await known(t, { tokens: [entry("a", "one", { expires: "2020-01-01T00:00:00Z" })] });
  assert.equal(
    callers.byToken(sha256("one"))?.whyOver?.(),
    'The token "a" expired at 2020-01-01T00:00:00.000Z',
  );
});

test("a broken file leaves the callers as they were, and is reported once", async (t) => {
  const { callers, refused, replace } = await known(t, { tokens: [entry("a", "one")] });
  await replace('{"tokens": [');
  const [first] = await eventually(() => refused.length > 0 && refused);
  assert.match(first ?? "", /tokens.json: is not JSON/);
  for (let round = 0; round < 3; round++) callers.look();
  assert.equal(refused.length, 1);
  assert.equal(callers.byToken(sha256("one"))?.name, "a");
  await replace({ tokens: [entry("b", "two")] });
  assert.equal(callers.byToken(sha256("two"))?.name, "b");
  assert.equal(callers.byToken(sha256("one")), undefined);
});

test("a removed file has no callers", async (t) => {
  const { callers, path } = await known(t, { tokens: [entry("a", "one")] });
  await rm(path);
  callers.look();
  assert.equal(callers.byToken(sha256("one")), undefined);
});

test("a file that others can write to, or that is another user's, is refused at the start and later", async (t) => {
  const { callers, path, refused } = await known(t, { tokens: [entry("a", "one")] });
  await chmod(path, 0o666);
  await eventually(() => refused.length > 0);
  assert.match(refused[0] ?? "", /has mode 666, so others can write to it/);
  assert.equal(callers.byToken(sha256("one"))?.name, "a");
  assert.throws(() => readTokensFile(path), StartError);
  if (process.geteuid?.() !== 0) return;
  await chmod(path, 0o600);
  await chown(path, 12_345, 12_345);
  assert.throws(() => readTokensFile(path), /belongs to user 12345/);
});

const wrong: readonly (readonly [what: string, content: unknown, message: RegExp])[] = [
  ["no object", [], /must be an object/],
  ["an unknown member", { token: [] }, /token: unknown option, did you mean tokens/],
  ["a name with a slash", { tokens: [entry("a/b", "x")] }, /tokens\[0\]\.name: must be a name/],
  ["a name with =", { tokens: [entry("a=b", "x")] }, /tokens\[0\]\.name: must be a name/],
  ["the operator's name", { tokens: [entry("token", "x")] }, /is the caller with the gateway's own token/],
  ["a token in clear", { tokens: [{ ...entry("a", "x"), sha256: "x" }] }, /sha256: must be the SHA-256/],
  ["a missing name", { tokens: [{ sha256: sha256("x"), grants: {} }] }, /tokens\[0\]\.name: missing/],
  ["missing grants", { tokens: [{ name: "a", sha256: sha256("x") }] }, /tokens\[0\]\.grants: missing/],
  [
    "an unknown grant",
    { tokens: [entry("a", "x", { grants: { allow: { exce: true } } })] },
    /grants\.allow\.exec/,
  ],
  [
    "a wrong host word",
    { tokens: [entry("a", "x", { grants: { allow: { host: ["x"] } } })] },
    /unknown word "x"/,
  ],
  ["no time", { tokens: [entry("a", "x", { expires: "tomorrow" })] }, /expires: must be a time/],
  ["no such time", { tokens: [entry("a", "x", { expires: "2030-13-01T00:00:00Z" })] }, /no such time/],
  ["a name twice", { tokens: [entry("a", "x"), entry("a", "y")] }, /the name "a" is there twice/],
  ["a token twice", { tokens: [entry("a", "x"), entry("b", "x")] }, /is there twice/],
  [
    "grants of a parent in the file",
    { tokens: [entry("a", "x", { parent: "b", within: [] })] },
    /within: only/,
  ],
  ["no grants of a parent elsewhere", { tokens: [entry("a", "x", { parent: "jwt:i#s" })] }, /within: only/],
  ["a bad subject", { certificates: [{ name: "a", subject: "alice", grants: {} }] }, /subject: must be CN:/],
];

for (const [what, content, message] of wrong) {
  test(`a tokens file with ${what} is refused, with the place of the mistake`, async (t) => {
    const path = join(await tempDir(t), "tokens.json");
    await writeFile(path, JSON.stringify(content), { mode: 0o600 });
    assert.throws(
      () => readTokensFile(path),
      (error: Error) => error instanceof StartError && message.test(error.message),
    );
  });
}

const stored = (name: string): StoredToken => ({ name, sha256: sha256(name), grants });
const add = (path: string, name: string): Promise<void> =>
  changeTokensFile(path, (file) => ({ file: withToken(file, stored(name), Date.now()), result: undefined }));

test("many changes at once, of several processes, are all kept", async (t) => {
  const path = join(await tempDir(t), "tokens.json");
  const module = (name: string) =>
    JSON.stringify(import.meta.resolve(`../../../../src/access/callers/${name}${import.meta.url.slice(-3)}`));
  const script = `
    import { changeTokensFile, sha256 } from ${module("token-store")};
    import { withToken } from ${module("token-tree")};
    const [path, name] = process.argv.slice(1);
    for (let index = 0; index < 5; index++) {
      const token = { name: name + index, sha256: sha256(name + index), grants: { all: true, allow: {}, deny: {} } };
      await changeTokensFile(path, (file) => ({ file: withToken(file, token, Date.now()), result: undefined }));
    }`;
  const processes = ["a", "b", "c"].map(
    (name) =>
      new Promise<void>((resolve, reject) =>
        execFile(process.execPath, ["--input-type=module", "-e", script, path, name], (error) =>
          error ? reject(error) : resolve(),
        ),
      ),
  );
  await Promise.all([...processes, add(path, "d"), add(path, "e")]);
  assert.equal(readTokensFile(path).tokens.length, 17);
  assert.deepEqual(await readdir(join(path, "..")), ["tokens.json"]);
});

test("a change that fails leaves the file as it was, and no lock", async (t) => {
  const path = join(await tempDir(t), "tokens.json");
  await add(path, "a");
  const before = await readFile(path, "utf8");
  await assert.rejects(add(path, "a"), /a caller has this name/);
  assert.equal(await readFile(path, "utf8"), before);
  await add(path, "b");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await writeFile(path, "{");
  await assert.rejects(add(path, "c"), /is not JSON/);
  assert.equal(await readFile(path, "utf8"), "{");
});

test("a change goes to the file that a link leads to, and root makes none for the gateway of another user", async (t) => {
  const folder = await tempDir(t);
  const [path, real] = [join(folder, "link.json"), join(folder, "real.json")];
  await writeFile(real, '{"tokens":[]}', { mode: 0o600 });
  await symlink(real, path);
  await add(path, "a");
  assert.equal(readTokensFile(real).tokens.length, 1);
  const removed = await changeTokensFile(path, (file) => {
    const done = withoutToken(file, "a");
    assert.ok(done);
    return { file: done.file, result: done.removed };
  });
  assert.deepEqual(removed, ["a"]);
  if (process.geteuid?.() !== 0) return;
  await chown(real, 12_345, 12_345);
  await assert.rejects(add(path, "b"), /run this command as that user, with sudo -u '#12345'/);
});

test("new tokens are long, distinct, and begin so that scanners find them", () => {
  const tokens = Array.from({ length: 100 }, newToken);
  assert.equal(new Set(tokens).size, 100);
  for (const token of tokens) assert.match(token, /^crest_[\w-]{43}$/);
});
