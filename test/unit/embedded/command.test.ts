import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError, run } from "../../../src/embedded/command.ts";

const skip = process.platform === "win32" ? "needs a POSIX shell" : false;

test("run() answers standard output and hands over standard input", { skip }, async () => {
  assert.equal(await run(["cat"], { input: Buffer.from("a b\n") }), "a b\n");
});

test("run() passes arguments as they are and has the system folders last on PATH", { skip }, async () => {
  const output = await run(["sh", "-c", 'echo "$1"; echo "$PATH"', "sh", "$(x) 'y'"]);
  const [argument, path] = output.split("\n");
  assert.equal(argument, "$(x) 'y'");
  assert.ok(path?.endsWith(":/usr/local/sbin:/usr/sbin:/sbin"), path);
});

test("run() throws what a failing command said", { skip }, async () => {
  const failure = run(["sh", "-c", "echo no >&2; exit 3"]);
  await assert.rejects(failure, (error: unknown) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.stderr, "no");
    assert.match(error.message, /: status 3: no$/);
    return true;
  });
});

test("run() kills a command that takes too long", { skip }, async () => {
  await assert.rejects(run(["sleep", "100"], { timeoutMs: 50 }), /ended by SIGKILL/);
});
