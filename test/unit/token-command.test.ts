/** `crest token`, from its arguments to the file that it changes. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readTokensFile, sha256 } from "../../src/access/callers/token-store.ts";
import { parseCommandLine } from "../../src/config.ts";
import { StartError } from "../../src/errors.ts";
import { type Printed, runTokenCommand } from "../../src/token-command.ts";
import { tempDir } from "../support/temp-dir.ts";

const noon = Date.parse("2030-01-01T12:00:00Z");

function parse(line: string, env: { readonly [name: string]: string } = {}) {
  const command = parseCommandLine(line.split(" "), env, { uid: 0, cwd: "/work" });
  assert.ok(command.name === "token");
  return command;
}

const run = (line: string, nowMs = noon): Promise<Printed> => runTokenCommand(parse(line), nowMs);

test("the tokens are where those of a gateway with the same settings are", () => {
  for (const [line, env, file] of [
    ["token list", {}, "/var/lib/crest/tokens.json"],
    ["token list --data-dir=/d", {}, "/d/tokens.json"],
    ["token list --data-dir=d", {}, "/work/d/tokens.json"],
    ["token list", { CREST_DATA_DIR: "/e" }, "/e/tokens.json"],
    ["token list --data-dir=/d", { CREST_DATA_DIR: "/e" }, "/d/tokens.json"],
    ["token list", { CREST_TOKENS_FILE: "/t.json", CREST_DATA_DIR: "/e" }, "/t.json"],
    ["token list --tokens-file /u.json", { CREST_TOKENS_FILE: "/t.json" }, "/u.json"],
  ] as const)
    assert.equal(parse(line, env).tokensFile, file, line);
});

test("the grants of a token are those of its flags, and not those of the environment", () => {
  const command = parse("token create --name=ci --for 2h --allow-exec=demo/web,ci --allow-read --deny-logs", {
    CREST_ALLOW_ALL: "true",
    CREST_ALLOW_RUN: "true",
  });
  assert.ok(command.action === "create");
  assert.deepEqual(command.token, {
    name: "ci",
    forMs: 7_200_000,
    grants: { all: false, allow: { read: true, exec: ["demo/web", "ci"] }, deny: { logs: true } },
  });
  const usual = parse("token create --name=ci -A");
  assert.ok(usual.action === "create");
  assert.equal(usual.token.forMs, 3_600_000);
});

const wrong: readonly (readonly [line: string, message: RegExp])[] = [
  ["token", /write crest token create\|list\|revoke \[NAME\]/],
  ["token make", /write crest token create\|list\|revoke/],
  ["token create --allow-exec", /^--name: missing/],
  ["token create --name=x", /grants nothing, add --allow-exec/],
  ["token create --name=x --deny-exec", /grants nothing/],
  ["token create x --allow-exec", /^x: unexpected argument, write --name=x/],
  ["token create --name=x --for=soon --allow-exec", /^--for=soon: .* is not a duration/],
  ["token create --name=x --allow-read=podz", /^--allow-read=podz: unknown word/],
  ["token create --name=x --listen=1 -A", /^--listen: not a flag of crest token/],
  ["token revoke", /write crest token revoke NAME/],
  ["token revoke a b", /^b: unexpected argument/],
  ["token list a", /^a: unexpected argument/],
  ["token list --name=x", /^--name=x: only for crest token create/],
  ["token revoke x -A", /^-A: only for crest token create/],
  ["serve --name=x", /^--name: a flag of crest token create, not of crest serve/],
];

for (const [line, message] of wrong)
  test(`crest ${line} is refused, and says what would be right`, () => {
    assert.throws(
      () => parseCommandLine(line.split(" "), {}, { uid: 0, cwd: "/" }),
      (error: Error) => error instanceof StartError && message.test(error.message),
    );
  });

test("create prints the token alone and once, list never, and revoke ends it and its descendants", async (t) => {
  const path = join(await tempDir(t), "tokens.json");
  const { out, note } = await run(
    `token create --name=ci --for=30d --allow-exec=demo/web --tokens-file=${path}`,
  );
  assert.match(out, /^crest_[\w-]{43}\n$/);
  assert.match(note, /^Token "ci" is valid until 2030-01-31T12:00:00Z: --allow-exec=demo\/web\n/);
  const text = await readFile(path, "utf8");
  assert.ok(text.includes(sha256(out.trim())) && !text.includes(out.trim()) && !note.includes(out.trim()));
  await run(`token create --name=old --for=1h --allow-read=pods --deny-logs --tokens-file=${path}`);
  await run(`token create --name=ever --for=0 -A --tokens-file=${path}`);
  const listed = await run(`token list --tokens-file=${path}`, noon + 2 * 3_600_000);
  assert.equal(
    listed.out,
    [
      "NAME  EXPIRES               BY  GRANTS",
      "ci    2030-01-31T12:00:00Z  -   --allow-exec=demo/web",
      "old   expired               -   --allow-read=pods --deny-logs",
      "ever  never                 -   --allow-all",
      "",
    ].join("\n"),
  );
  assert.equal((await run(`token revoke ci --tokens-file=${path}`)).note, "Revoked ci\n");
  assert.deepEqual(
    readTokensFile(path).tokens.map(({ name }) => name),
    ["old", "ever"],
  );
});

test("a name that is taken, reserved or no name is refused, and so is one that is not there", async (t) => {
  const path = join(await tempDir(t), "tokens.json");
  await run(`token create --name=ci -A --tokens-file=${path}`);
  for (const [line, message] of [
    ["create --name=ci -A", /a caller has this name/],
    ["create --name=token -A", /the caller with the gateway's own token/],
    ["create --name=a/b -A", /must be at most 63 letters/],
    ["create --name=a=b -A", /must be at most 63 letters/],
    ["revoke absent", /^absent: no such token in /],
  ] as const) {
    await assert.rejects(
      run(`token ${line} --tokens-file=${path}`),
      (error: Error) => error instanceof StartError && message.test(error.message),
    );
  }
});
