import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isKnownCommand,
  isMissingCommand,
  onTermOf,
  runShell,
  runsByItself,
} from "../support/fake-runtime/shell.ts";

async function run(...command: string[]): Promise<[string, string, number]> {
  const files = new Map([["/etc/hostname", "web\n"]]);
  const { signal } = new AbortController();
  const { stdout, stderr, exitCode } = await runShell(command, { signal, files });
  return [stdout.toString(), stderr.toString(), exitCode];
}

test("scripts run their commands in order, with quotes, conditions and redirections", async () => {
  const scripts: [script: string, stdout: string, stderr: string, exitCode: number][] = [
    ["echo a b", "a b\n", "", 0],
    ["echo 'a;b' \"c d\" e\\ f", "a;b c d e f\n", "", 0],
    ["false && echo no; echo yes", "yes\n", "", 0],
    ["false || echo yes", "yes\n", "", 0],
    ["true && false || echo both", "both\n", "", 0],
    ["echo err >&2; exit 3; echo never", "", "err\n", 3],
    ["exit 256", "", "", 0],
    ["echo one\necho two", "one\ntwo\n", "", 0],
    ["cat /etc/hostname", "web\n", "", 0],
    ["cat /no/file", "", "cat: can't open '/no/file': No such file or directory\n", 1],
    ["unheard-of", "", "sh: unheard-of: not found\n", 127],
    ["printf 'a\\tb\\n%s' c", "a\tb\nc", "", 0],
    ["kill -9 $$", "", "", 137],
    ["", "", "", 0],
  ];
  for (const [script, ...expected] of scripts)
    assert.deepEqual(await run("/bin/sh", "-c", script), expected, script);
});

test("an aborted process ends with 137", async () => {
  const killed = new AbortController();
  const running = runShell(["sleep", "infinity"], { signal: killed.signal });
  killed.abort();
  assert.equal((await running).exitCode, 137);
});

test("a child in the background outlives its shell", async () => {
  const killed = new AbortController();
  const { exitCode, background } = await runShell(["sh", "-c", "sleep 60 & echo started"], {
    signal: killed.signal,
  });
  assert.equal(exitCode, 0);
  killed.abort();
  await background;
});

test("what a first process does is read from its command", () => {
  assert.equal(runsByItself(["sh", "-c", "exit 3"]), true);
  assert.equal(runsByItself(["sh", "-c", "while true; do sleep 1; done"]), false);
  assert.equal(runsByItself(["/usr/sbin/nginx"]), false);
  assert.equal(runsByItself(["sh"]), false);
  assert.equal(onTermOf(["sh", "-c", "trap '' TERM; sleep 9"]), "ignore");
  assert.equal(onTermOf(["sh", "-c", "trap 'echo bye; exit 7' INT TERM; sleep 9"]), 7);
  assert.equal(onTermOf(["sleep", "9"]), 143);
  assert.ok(isMissingCommand("/bin/nope") && !isMissingCommand("nginx"));
  assert.ok(isKnownCommand("/bin/echo") && !isKnownCommand("nginx") && !isKnownCommand("toString"));
});
