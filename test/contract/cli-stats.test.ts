/** `crest stats` and `crest top`: single readings, streams, and the live table. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Interrupted } from "../../src/cli/terminal.ts";
import { eventually } from "../support/eventually.ts";
import { type FakeTerminalOptions, fakeTerminal } from "../support/fake-terminal.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";
const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";

async function world(t: TestContext, count = 3) {
  const gateway = await liveGateway(t, manner);
  const pod = gateway.fake.addPod({ name: "web", namespace: "shop" });
  const ids = Array.from(
    { length: count },
    (_, at) => gateway.fake.addContainer({ pod, name: `app-${at}` }).id,
  );
  return { gateway, ids };
}

/** The lines of the last frame, without what moves the cursor. */
function lastFrame(text: string): readonly string[] {
  const frame = text.slice(text.lastIndexOf("\u001b[H") + 3).split("\u001b[J")[0] ?? "";
  return frame.split("\r\n").map((line) => line.replace("\u001b[K", ""));
}

async function liveTable(gateway: LiveGateway, argv: readonly string[], options: FakeTerminalOptions) {
  const terminal = fakeTerminal(options);
  const ended = runCommand(gateway, argv, { terminal });
  await eventually(() => terminal.stdout.text().includes("\u001b[J"));
  return { terminal, ended, frame: () => lastFrame(terminal.stdout.text()) };
}

test("a single reading, in every format", async (t) => {
  const { gateway, ids } = await world(t, 1);
  const [id = ""] = ids;
  const { stdout } = await runCommand(gateway, ["stats"]);
  assert.match(stdout, /^CONTAINER +NAME +POD +CPU +MEMORY +LIMIT +DISK\n/);
  assert.match(stdout, new RegExp(`^${id.slice(0, 13)}  app-0  shop/web +[\\d.]+% +[\\d.]+[KM]iB `, "m"));
  const json = JSON.parse((await runCommand(gateway, ["top", "-o", "json"])).stdout);
  assert.deepEqual([json.items.length, json.items[0].id], [1, id]);
  const one = JSON.parse((await runCommand(gateway, ["stats", "-o", "json", id])).stdout);
  assert.equal(one.id, id);
  const lines = (await runCommand(gateway, ["stats", "-o", "jsonl", id, id])).stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  const pods = await runCommand(gateway, ["stats", "--pods", "--no-stream"], { columns: 80 });
  assert.match(pods.stdout, /^POD ID +POD +CPU +MEMORY +LIMIT +RECEIVED +SENT\n.* shop\/web /);
});

test("mistakes are told before anything is asked", async () => {
  for (const [argv, expected] of [
    [["--sort", "memori"], /did you mean memory\?/],
    [["-f", "image=x"], /expected name, namespace, pod, label/],
    [["a", "--namespace", "b"], /--namespace and a: write one or the other/],
    [["--pods", "-p", "a"], /leave out --pod or --pods/],
    [[".."], /expected an id or a name/],
  ] as const) {
    const { code, stderr } = await runCommand({ port: 9 }, ["top", ...argv], { columns: 80 });
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  const absent = await runCommand({ port: 9 }, ["top"], { columns: 80 });
  assert.deepEqual([absent.code, absent.stdout], [1, ""]);
});

test("the live table changes its order with keys, fits the terminal, and leaves it as it was", async (t) => {
  const { gateway, ids } = await world(t, 30);
  const { terminal, ended, frame } = await liveTable(gateway, ["top"], { columns: 80, rows: 12 });
  assert.equal(terminal.stdin.isRaw, true);
  assert.match(frame()[0] ?? "", /^\d\d:\d\d:\d\d UTC, 30 containers by cpu$/);
  assert.match(frame()[1] ?? "", /^c cpu {2}m memory .* q quit$/);
  assert.match(frame()[2] ?? "", /^CONTAINER /);
  assert.equal(frame()[11], "22 more are not shown: the terminal has 12 lines");
  assert.equal(frame().length, 12);
  for (const line of frame()) assert.ok(line.length <= 80, line);

  terminal.stdin.write("n");
  await eventually(() => frame()[0]?.endsWith("by name"));
  assert.ok(frame()[3]?.startsWith(`${ids[0]?.slice(0, 13)}  app-0 `));
  terminal.stdout.columns = 40;
  terminal.stdout.rows = 50;
  terminal.stdout.emit("resize");
  assert.equal(frame().length, 33);
  assert.doesNotMatch(frame().at(-1) ?? "", /not shown/);
  terminal.stdout.rows = 3;
  terminal.stdout.emit("resize");
  assert.equal(frame().length, 3);

  terminal.stdin.write("xq");
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, ""]);
  assert.ok(stdout.startsWith(enter) && stdout.endsWith(leave));
  assert.equal(stdout.split(leave).length, 2);
  assert.equal(terminal.stdin.isRaw, false);
  assert.equal(terminal.stdin.listenerCount("data") + terminal.stdout.listenerCount("resize"), 0);
});

test("Ctrl-C, a signal and a failure leave the terminal as it was", async (t) => {
  const { gateway } = await world(t, 1);
  const pressed = await liveTable(gateway, ["stats", "--pods"], { columns: 80 });
  pressed.terminal.stdin.write("\u0003");
  assert.equal((await pressed.ended).code, 130);
  const stop = new AbortController();
  const signalled = await liveTable(gateway, ["top"], { columns: 80, signal: stop.signal });
  stop.abort(new Interrupted("Stopped by SIGTERM", 143));
  assert.equal((await signalled.ended).code, 143);
  const { id } = gateway.fake.addContainer({ name: "job" });
  const finished = await liveTable(gateway, ["top", id], { columns: 80 });
  await gateway.fake.exitContainer(id, 0);
  assert.equal((await finished.ended).code, 0);
  for (const { terminal } of [pressed, signalled, finished]) {
    assert.ok(terminal.stdout.text().endsWith(leave));
    assert.equal(terminal.stdin.isRaw, false);
  }
});

test("names of others cannot move the terminal", async (t) => {
  const { gateway } = await world(t, 0);
  gateway.fake.addContainer({ name: "evil\u001b[2J\u009bH" });
  const { terminal, ended } = await liveTable(gateway, ["top"], { columns: 80 });
  terminal.stdin.write("q");
  await ended;
  assert.ok(!terminal.stdout.text().includes("evil\u001b") && !terminal.stdout.text().includes("\u009b"));
});

test("-w goes on without a terminal", async (t) => {
  const { gateway } = await world(t, 2);
  const stop = new AbortController();
  const terminal = fakeTerminal({ signal: stop.signal });
  const ended = runCommand(gateway, ["stats", "-w", "-o", "jsonl", "--interval", "1s"], { terminal });
  await eventually(() => terminal.stdout.text().split("\n").length > 4);
  stop.abort(new Interrupted("Stopped by SIGINT", 130));
  assert.equal((await ended).code, 130);
  for (const line of terminal.stdout.text().trimEnd().split("\n"))
    assert.match(JSON.parse(line).name, /^app-/);
});
