/** run, exec, attach and port-forward at a terminal, on a real containerd. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { quote } from "../../src/shell.ts";
import { type CuttingProxy, cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, newName, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { crestCommand, type Ended, runToEnd, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";
import { startTmux, type Tmux } from "./support/tmux.ts";

const skip = await reasonToSkip({ terminal: true });
const folder = newFolder();
let pod: Resource;
let web: Resource;
let tmux: Tmux;
/** For commands that are to find the gateway. */
let surroundings: { readonly CREST_DATA_DIR: string; readonly PATH: string };
const gateway = useGateway(skip, {
  async prepare(started) {
    pod = await runPod(started);
    web = await runContainer(started, pod);
    const crest = `#!/bin/sh\nexec ${crestCommand().map(quote).join(" ")} "$@"\n`;
    writeFileSync(join(folder, "crest"), crest, { mode: 0o755 });
    surroundings = { CREST_DATA_DIR: started.dataDir, PATH: `${folder}:${process.env.PATH}` };
    tmux = startTmux({ folder, env: surroundings });
  },
});
after(async () => {
  tmux?.close();
  await removeFolder(folder);
});

const crest = (...args: readonly string[]): Promise<Ended> =>
  runToEnd(crestCommand(...args), { env: surroundings });

/** Runs a shell's command line, with CREST for the command and the container's id in `$WEB`. */
const piped = (line: string): Promise<Ended> =>
  runToEnd(["bash", "-c", `set -o pipefail; ${line}`], {
    env: { ...surroundings, WEB: web.id, POD: pod.id },
  });

/** Runs a command line in a new shell, in which `$WEB` is the container. */
async function atPrompt(line: string): Promise<void> {
  await tmux.restart();
  tmux.run(`clear; WEB=${web.id.slice(0, 13)}`);
  await tmux.until(/^\$$/);
  tmux.run(line);
}

/** Asserts that the terminal is as it was before the command. */
async function assertRestored(): Promise<void> {
  await tmux.until(/\$$/);
  tmux.run("clear; stty -a | grep -o -e '-\\?icanon' -e '-\\?isig' -e '-\\?icrnl' | xargs echo modes");
  await tmux.until(/^modes icrnl isig icanon$/m);
}

test("exec passes on exit codes, with 125 to 127 as docker does", { skip }, async () => {
  const ends = async (...args: readonly string[]) => {
    const { code, stderr } = await crest("exec", ...args);
    return [code, stderr] as const;
  };
  assert.deepEqual(await ends(web.id, "true"), [0, ""]);
  assert.deepEqual(await ends(web.id, "--", "sh", "-c", "echo no >&2; exit 3"), [3, "no\n"]);
  assert.deepEqual(await ends(web.id, "/etc"), [
    126,
    'crest: Cannot run "/etc" in the container: not an executable file\n',
  ]);
  assert.deepEqual(await ends("--sync", web.id, "nothing"), [
    127,
    'crest: Cannot run "nothing" in the container: not found\n',
  ]);
  const [code, refusal] = await ends("nobody", "true");
  assert.equal(code, 125);
  assert.match(refusal, /^crest: Cannot find container "nobody"/);
});

test("exec refuses a terminal for a pipe, and says what to write", { skip }, async () => {
  const { code, stderr } = await piped("echo | crest exec -it $WEB sh -c 'exit 1'");
  assert.equal(code, 125);
  assert.equal(
    stderr,
    `crest: -t: the input is a pipe or a file, not a terminal, write crest exec -i ${web.id} -- sh -c 'exit 1'\n`,
  );
});

test("exec carries bytes as they are, in and out, and ends with its reader", { skip }, async () => {
  const file = join(folder, "random");
  writeFileSync(file, randomBytes(10_000_000));
  const { stdout, stderr, code } = await piped(
    `md5sum <${file}; crest exec -i $WEB -- sh -c 'cat; echo over >&2' <${file} | md5sum`,
  );
  assert.deepEqual([code, stderr], [0, "over\n"]);
  const [sent, received] = stdout.split("\n");
  assert.equal(received, sent);
  const left = await piped("crest exec $WEB yes | head -1");
  assert.deepEqual([left.code, left.stdout, left.stderr], [0, "y\n", ""]);
});

test("exec -it edits a file in vi, and leaves the terminal as it was", { skip }, async () => {
  await atPrompt("crest exec -it $WEB sh");
  await tmux.until(/^\/ #$/m);
  tmux.run("vi /tmp/note");
  await tmux.until(/^- \/tmp\/note/m);
  tmux.type("ihello from vi");
  await tmux.until(/^hello from vi$/m);
  tmux.press("Escape");
  await tmux.until(/^- \/tmp\/note/m);
  tmux.run(":wq");
  await tmux.until(/^\/ #$/m);
  tmux.run("exit 5");
  await tmux.until(/^\$$/m);
  tmux.run("echo code $?");
  await tmux.until(/^code 5$/m);
  await assertRestored();
  const { stdout } = await exec(gateway(), web, "cat /tmp/note");
  assert.equal(stdout, "hello from vi\n");
});

test("exec -it tells the size of the terminal, also when it changes", { skip }, async () => {
  await atPrompt("crest exec -it $WEB sh");
  await tmux.until(/^\/ #$/m);
  tmux.run("stty size");
  await tmux.until(/^24 80$/m);
  tmux.resize(100, 30);
  tmux.run("stty size");
  await tmux.until(/^30 100$/m);
  tmux.resize(80, 24);
  tmux.run("exit");
  await assertRestored();
});

test("Ctrl-C goes to the process in a terminal, and ends the command otherwise", { skip }, async () => {
  await atPrompt("crest exec -it $WEB -- sh -c 'trap \"echo caught; exit 9\" INT; echo begun; sleep 100'");
  await tmux.until(/^begun$/m);
  tmux.press("C-c");
  // What is typed before the prompt would go to the process.
  await tmux.until(/\$$/);
  tmux.run("echo code $?");
  await tmux.until(/^code 9$/m);
  await assertRestored();
  await atPrompt("crest exec $WEB -- sh -c 'echo begun; sleep 100'");
  await tmux.until(/^begun$/m);
  tmux.press("C-c");
  await tmux.until(/\$$/);
  tmux.run("echo code $?");
  await tmux.until(/^code 130$/m);
});

test("a signal restores the terminal", { skip }, async () => {
  for (const [signal, code] of [
    ["TERM", 143],
    ["HUP", 129],
    ["INT", 130],
  ] as const) {
    await atPrompt("crest exec -it $WEB sh");
    await tmux.until(/^\/ #$/m);
    await piped(`pkill -${signal} -f "main.js exec -it ${web.id.slice(0, 13)}"`);
    await tmux.until(/\$$/);
    tmux.run("echo code $?");
    await tmux.until(new RegExp(`^code ${code}$`, "m"));
    await assertRestored();
  }
});

test("attach finds out about the terminal, and is left with the detach keys", { skip }, async () => {
  const main = await runContainer(gateway(), pod, {
    ...shell('while read -r line; do echo "got $line"; done'),
    ...{ tty: true, stdin: true },
  });
  await atPrompt(`crest attach ${main.id.slice(0, 13)}`);
  // Nothing shows when it is connected.
  await eventually(
    () => {
      tmux.run("one");
      return /^got one$/m.test(tmux.screen());
    },
    { timeoutMs: 20_000, intervalMs: 500 },
  );
  tmux.press("C-p", "C-q");
  await tmux.until(/^Detached; the container goes on\. Come back with crest attach -it [0-9a-f]{13}$/m);
  tmux.run("echo code $?");
  await tmux.until(/^code 0$/m);
  await assertRestored();
});

/** A shell behind a proxy that fails, in a terminal. */
async function behindProxy(t: TestContext): Promise<CuttingProxy> {
  const proxy = await cuttingProxy(t, Number(new URL(gateway().address).port));
  await atPrompt(
    `crest exec --server ${proxy.address} --token-file ${join(gateway().dataDir, "token")} -it $WEB sh`,
  );
  await tmux.until(/^\/ #$/m);
  tmux.run("x=kept");
  return proxy;
}

test("exec -it goes on where it was after a connection was cut, and says so only while it is lost", {
  skip,
}, async (t) => {
  const proxy = await behindProxy(t);
  tmux.run("sleep 1; echo while away");
  proxy.isDown = true;
  proxy.cut();
  await tmux.until(/^ crest: Connection lost, trying again; the detach keys leave it$/m);
  tmux.run("echo typed $x");
  await delay(10_000);
  proxy.isDown = false;
  await tmux.until(/^while away\n(.*\n)*typed kept$/m, 30_000);
  assert.doesNotMatch(tmux.screen(), /Connection lost/);
  tmux.run("exit 6");
  await tmux.until(/^\$$/m);
  tmux.run("echo code $?");
  await tmux.until(/^code 6$/m);
  await assertRestored();
});

test("exec -it goes on after a network that dropped all traffic for 10 s", { skip }, async (t) => {
  const proxy = await behindProxy(t);
  proxy.setSilent(true);
  tmux.run("echo typed $x");
  await delay(10_000);
  assert.doesNotMatch(tmux.screen(), /^typed kept$/m);
  proxy.setSilent(false);
  await tmux.until(/^typed kept$/m);
  tmux.run("exit");
  await assertRestored();
});

test("a session is left with the detach keys, listed, resumed and ended", { skip }, async () => {
  await atPrompt("crest exec -it $WEB sh");
  await tmux.until(/^\/ #$/m);
  tmux.run("x=kept");
  tmux.press("C-p", "C-q");
  const [, id = ""] = await tmux.until(
    /^crest: Detached\. Within \d+ s, crest resume (\S+)\s+goes\s+on with it$/m,
  );
  await assertRestored();
  const list = await crest("sessions");
  assert.match(list.stdout, /^SESSION +TYPE +CONTAINER +STATE +AGE\n/);
  assert.match(
    list.stdout,
    new RegExp(`^${id} +exec -t +${web.id.slice(0, 12)}\\w* +waits, \\d+ s left`, "m"),
  );
  tmux.run(`clear; crest resume ${id}`);
  await tmux.until(/^\/ #$/m);
  tmux.run("echo is $x");
  await tmux.until(/^is kept$/m);
  const ended = await crest("sessions", "--end", id);
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [0, `${id}\n`, ""]);
  await tmux.until(/^crest: The session was lost: /m);
  tmux.run("echo code $?");
  await tmux.until(/^code 125$/m);
  await assertRestored();
  const gone = await crest("resume", id);
  assert.equal(gone.code, 125);
  assert.match(gone.stderr, /^crest: Cannot find session/);
});

test("port-forward carries 100 MB, and 50 connections at once", { skip }, async (t) => {
  await exec(
    gateway(),
    web,
    "mkdir -p /www; for i in $(seq 52); do cat /bin/busybox; done >/www/big; httpd -p 8000 -h /www",
  );
  const forward = start(crestCommand("port-forward", pod.id, ":8000", ":8001"), { env: surroundings });
  t.after(async () => {
    forward.killGroup("SIGINT");
    assert.equal((await forward.ended).code, 130);
  });
  const [, port] = await forward.until(/^Forwarding 127\.0\.0\.1:(\d+) -> 8000$/m);
  const [, dead] = await forward.until(/^Forwarding 127\.0\.0\.1:(\d+) -> 8001$/m);
  const { stdout: sums } = await piped(
    `curl -s http://127.0.0.1:${port}/big | md5sum; for i in $(seq 52); do cat /bin/busybox; done | md5sum`,
  );
  const [sum, expected] = sums.split("\n");
  assert.equal(sum, expected);
  // One that fails does not end the others.
  const refused = connect(Number(dead), "127.0.0.1");
  await new Promise((resolve) => refused.on("error", () => undefined).on("close", resolve));
  const { stdout } = await piped(
    `seq 50 | xargs -P50 -I{} curl -s -r 0-99999 http://127.0.0.1:${port}/big -o /dev/null -w '%{size_download}\\n' | sort | uniq -c`,
  );
  assert.equal(stdout.trim(), "50 100000");
});

test("port-forward notes a port that nothing listens on, and refuses a local port that is taken", {
  skip,
}, async () => {
  const { code, stderr } = await crest("port-forward", newName(), "80");
  assert.equal(code, 1);
  assert.match(stderr, /^crest: Cannot find pod/);
  const script = `
    touch $OUT; crest port-forward $POD :8001 >$OUT 2>$OUT.err & pid=$!
    until grep -q '^Forwarding 127' $OUT; do sleep 0.1; done
    port=$(sed -n 's/^Forwarding 127.0.0.1:\\([0-9]*\\) .*/\\1/p' $OUT)
    curl -s http://127.0.0.1:$port; echo curl $?
    crest port-forward $POD $port:8001; echo second $?
    kill -INT $pid; wait $pid; echo first $?; cat $OUT.err`;
  const ended = await piped(`OUT=${join(folder, "forward")}; ${script}`);
  assert.match(
    ended.stdout,
    /^curl 52\nsecond 1\nfirst 130\nConnection from 127\.0\.0\.1:\d+ to port 8001 failed: Cannot forward to port 8001: nothing listens on it/,
  );
  assert.match(ended.stderr, /^crest: Cannot listen on port \d+: another program listens on it/);
});

/** The pods that the test did not make before. */
async function podsLeft(): Promise<readonly string[]> {
  const { stdout } = await crest("pods", "-q", "--no-trunc");
  return stdout.split("\n").filter((id) => id !== "" && id !== pod.id);
}

test("run shows all output and passes on the exit code, and --rm leaves nothing", { skip }, async () => {
  for (let count = 0; count < 3; count++) {
    const { code, stdout, stderr } = await crest(
      ...["run", "--rm", "-e", "NAME=Ada", "busybox", "--"],
      ...["sh", "-c", "echo Hello $NAME; echo oh >&2; exit 3"],
    );
    assert.deepEqual([code, stdout, stderr], [3, "Hello Ada\n", "oh\n"]);
  }
  const missing = await crest("run", "--rm", "busybox", "no-such-program");
  assert.equal(missing.code, 127);
  assert.equal(missing.stderr, 'crest: Cannot run "no-such-program" in the container: not found\n');
  const counted = await piped("seq 100000 | crest run -i --rm busybox wc -l");
  assert.deepEqual([counted.code, counted.stdout, counted.stderr], [0, "100000\n", ""]);
  // containerd 1.6 loses the end of what a program writes just before it exits.
  const long = await piped(
    "crest run --rm busybox -- sh -c 'seq 100000; sleep 1' | md5sum; seq 100000 | md5sum",
  );
  const [shown, expected] = long.stdout.split("\n");
  assert.equal(shown, expected);
  assert.deepEqual(await podsLeft(), []);
});

test("run -d prints the id, and the container goes on", { skip }, async () => {
  const name = newName();
  const { stdout } = await crest("run", "-d", "--name", name, "--memory", "64m", "busybox", "sleep", "600");
  assert.match(stdout, /^[0-9a-f]{64}\n$/);
  assert.deepEqual((await crest("exec", name, "echo", "here")).stdout, "here\n");
  const [left = "", ...others] = await podsLeft();
  assert.deepEqual(others, []);
  assert.equal((await crest("rmp", "-f", left)).code, 0);
});

test("run -it has a prompt and the size of the terminal at once", { skip }, async () => {
  await atPrompt("crest run -it --rm busybox");
  await tmux.until(/^\/ #$/m);
  tmux.run("stty size");
  await tmux.until(/^24 80$/m);
  tmux.run("exit 7");
  await tmux.until(/^\$$/m);
  tmux.run("echo code $?");
  await tmux.until(/^code 7$/m);
  await assertRestored();
  await atPrompt("crest run -t --rm busybox -- sh -c 'echo first; echo second'");
  await tmux.until(/^first\nsecond\n\$$/m);
  assert.deepEqual(await podsLeft(), []);
});

test("Ctrl-C stops what runs without a terminal, and --rm still removes it", { skip }, async () => {
  await atPrompt(
    "crest run --rm --name stopped busybox -- sh -c 'trap exit TERM; echo begun; while :; do sleep 0.1; done'",
  );
  await tmux.until(/^begun$/m);
  tmux.press("C-c");
  await tmux.until(/^\^?C?crest: Stopping stopped$/m);
  await tmux.until(/^\$$/m, 30_000);
  tmux.run("echo code $?");
  await tmux.until(/^code 130$/m);
  assert.deepEqual(await podsLeft(), []);
});
