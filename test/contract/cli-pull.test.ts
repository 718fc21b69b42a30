/** `crest pull` against a gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupted } from "../../src/cli/terminal.ts";
import { eventually } from "../support/eventually.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import { fakeTerminal } from "../support/fake-terminal.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";
const credentials = { username: "team", password: "p:ss wörd" };

/** Offers an image whose pull lasts until the answer is called. */
function offerSlowly(fake: FakeRuntime, tag: string): () => void {
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  fake.addRemoteImage({ tags: [tag], arrival });
  return () => arrive();
}

const phases = async ({ ask }: LiveGateway): Promise<readonly string[]> =>
  ((await ask("GET /v1/pulls")).at("pulls") as readonly { phase: string }[]).map(({ phase }) => phase);

test("pull prints a reference for each image, in the order of the names, and few lines of progress", async (t) => {
  const gateway = await liveGateway(t, manner);
  const arrive = offerSlowly(gateway.fake, "quay.io/team/one:1");
  gateway.fake.addRemoteImage({ tags: ["quay.io/team/two:1"] });
  const terminal = fakeTerminal();
  const argv = ["pull", "quay.io/team/one:1", "quay.io/team/none:1", "quay.io/team/two:1"];
  const ended = runCommand(gateway, argv, { terminal });
  await eventually(() => /two:1: pulled.*one:1: pulling/s.test(terminal.stderr.text()));
  assert.equal(terminal.stdout.text(), "");
  arrive();
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 1);
  assert.match(stdout, /^sha256:[0-9a-f]{64}\nsha256:[0-9a-f]{64}\n$/);
  const lines = stderr.trimEnd().split("\n");
  assert.ok(lines.length <= 6, stderr);
  assert.match(stderr, /^crest: .*none:1/m);
  assert.match(stderr, /^quay\.io\/team\/one:1: pulling/m);
  assert.match(stderr, /^quay\.io\/team\/one:1: pulled.* in \d/m);
  const quiet = await runCommand(gateway, ["pull", "-q", "quay.io/team/two:1"]);
  assert.deepEqual([quiet.code, quiet.stderr], [0, ""]);
});

test("credentials come from stdin, the terminal, or crictl's flags", async (t) => {
  const gateway = await liveGateway(t, manner);
  const tag = "quay.io/team/private:1";
  gateway.fake.addRemoteImage({ tags: [tag], credentials });
  const { username, password } = credentials;
  const pull = (flags: readonly string[], options = {}) =>
    runCommand(gateway, ["pull", "-q", tag, ...flags], options);
  assert.equal((await pull([])).code, 1);
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  for (const flags of [["--auth", auth], [`--creds=${username}:${password}`]])
    assert.equal((await pull(flags)).code, 0);
  const piped = await pull(["-u", username, "--password-stdin"], { input: `${password}\n` });
  assert.equal(piped.code, 0);

  const terminal = fakeTerminal({ columns: 80 });
  const ended = pull(["--creds", username], { terminal });
  await eventually(() => terminal.stdin.isRaw);
  terminal.stdin.write(`oops\u0015${password}x\u007f\r`);
  const asked = await ended;
  assert.deepEqual([asked.code, asked.stderr], [0, "Password of team: \n"]);
  assert.equal(terminal.stdin.isRaw, false);
});

test("Ctrl-C while a password is asked for restores the terminal", async (t) => {
  const gateway = await liveGateway(t, manner);
  const terminal = fakeTerminal({ columns: 80 });
  const stop = new AbortController();
  const ended = runCommand(gateway, ["pull", "-u", "team", "busybox"], {
    terminal: { ...terminal, signal: stop.signal },
  });
  await eventually(() => terminal.stdin.isRaw);
  stop.abort(new Interrupted("Stopped by Ctrl-C", 130));
  assert.equal((await ended).code, 130);
  assert.equal(terminal.stdin.isRaw, false);
  const typed = runCommand(gateway, ["pull", "-u", "team", "busybox"], { terminal });
  await eventually(() => terminal.stdin.isRaw);
  terminal.stdin.write("\u0003");
  assert.equal((await typed).code, 130);
  assert.equal(gateway.requests.length, 0);
});

test("flags for credentials that do not fit are refused, and show no secret", async (t) => {
  const gateway = await liveGateway(t, manner);
  for (const [flags, message] of [
    [["-u", "a", "--creds", "a:secret"], /--username and --creds: write only one of them/],
    [["--password-stdin"], /needs --username=USER/],
    [["--creds=a:secret", "--password-stdin"], /--creds has the password already/],
    [["-u", "a"], /There is no terminal to ask for the password: write it to stdin, with --password-stdin/],
    [["--cancel", "--detach"], /write one of them/],
  ] as const) {
    const { code, stderr } = await runCommand(gateway, ["pull", "busybox", ...flags]);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /secret/);
  }
  const shown = await runCommand(gateway, ["pull", "busybox", "-u", "team", "--show-curl"]);
  assert.match(shown.stdout, /"username":"team","password":"PASSWORD"/);
  assert.equal(gateway.requests.length, 0);
});

test("Ctrl-C leaves the pull, which ends with its last caller", async (t) => {
  const gateway = await liveGateway(t, manner);
  offerSlowly(gateway.fake, "quay.io/team/large:1");
  const stop = new AbortController();
  const terminal = fakeTerminal({ columns: 80, signal: stop.signal });
  const ended = runCommand(gateway, ["pull", "quay.io/team/large:1"], { terminal });
  await eventually(() => /pulling/.test(terminal.stderr.text()));
  stop.abort(new Interrupted("Stopped by Ctrl-C", 130));
  assert.equal((await ended).code, 130);
  await eventually(async () => (await phases(gateway))[0] === "cancelled");
});

test("a detached pull goes on, and --cancel ends it by its image or id", async (t) => {
  const gateway = await liveGateway(t, manner);
  const tag = "quay.io/team/large:1";
  for (const by of ["image", "id"]) {
    offerSlowly(gateway.fake, tag);
    const { code, stdout } = await runCommand(gateway, ["pull", "-d", tag]);
    assert.equal(code, 0);
    const id = stdout.trim();
    assert.match((await phases(gateway))[0] ?? "", /pulling/);
    const cancelled = await runCommand(gateway, ["pull", "--cancel", by === "id" ? id : tag]);
    assert.deepEqual(cancelled, { code: 0, stdout: `${id}\n`, stderr: "" });
    assert.equal((await phases(gateway))[0], "cancelled");
  }
  assert.equal((await runCommand(gateway, ["pull", "--cancel", tag])).code, 1);
});
