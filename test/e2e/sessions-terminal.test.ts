/** Pseudo-terminals through a WebSocket, on the real containerd: sizes, control characters, the end of input, vi. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { channel, command, exitCodeOf, openSession, type Query, type Session } from "./clients/session.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, type Resource, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    container = await runContainer(gateway, await runPod(gateway));
  },
});

const terminal: Query = { stdin: true, stdout: true, tty: true };

function open(words: string | readonly string[], streams = terminal): Promise<Session> {
  return openSession(crest(), `${container.path}/exec`, { query: command(words, streams) });
}

/** Waits in the container until the terminal has a size, then says so. */
const untilSize = (rows: number, columns: number) =>
  `until [ "$(stty size 2>/dev/null)" = "${rows} ${columns}" ]; do :; done; echo size ${rows}x${columns};`;

test("a terminal echoes, ends lines as terminals do, and has one output", { skip }, async () => {
  const session = await open("read line; echo out; echo err >&2; test -t 0 && test -t 1 && test -t 2");
  await session.type("typed\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "typed\r\nout\r\nerr\r\n");
  assert.equal(session.bytes(channel.stderr).length, 0);
});

test("a terminal has the size that the client says, and each later one", { skip }, async () => {
  const session = await open(untilSize(40, 120) + untilSize(41, 121));
  await session.resize(120, 40);
  await session.until(/size 40x120\r\n/);
  await session.resize(121, 41);
  assert.equal(exitCodeOf(await session.status()), 0);
});

test("sizes that do not read are dropped, and those after them still arrive", { skip }, async () => {
  const session = await open(`${untilSize(24, 81)} read line; echo "heard $line"`);
  const broken = [
    ...["", "{", "null", "[]", '{"Width":0,"Height":0}', '{"Width":70000,"Height":10}', '{"Width":10}'],
    "x".repeat(10_000),
  ];
  for (let turn = 0; turn < 50; turn++) {
    for (const text of broken) await session.send(channel.resize, text);
  }
  await session.send(channel.resize, '{"width":81,"height":24,"depth":1}');
  await session.until(/size 24x81\r\n/);
  await session.type("me\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.match(session.text(), /heard me\r\n$/);
});

test("control characters reach the process as signals", { skip }, async () => {
  const session = await open('trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 1; done');
  await session.until(/ready/);
  await session.type("\x03");
  assert.equal(exitCodeOf(await session.status()), 5);
  assert.match(session.text(), /interrupted/);
});

test("the end of input is 0x04 in a terminal: what is written after it still arrives", {
  skip,
}, async () => {
  const session = await open("cat; echo after the end; exit 6");
  await session.type("one line\n");
  await session.until(/one line\r\none line\r\n/);
  await session.endInput();
  assert.equal(exitCodeOf(await session.status()), 6);
  assert.match(session.text(), /after the end\r\n$/);
});

const keys = { up: "\x1b[A", down: "\x1b[B", right: "\x1b[C", left: "\x1b[D", escape: "\x1b", enter: "\r" };

/** What moves the cursor to the start of a row. */
const lineOf = (row: number) => new RegExp(`${keys.escape}\\[${row};1H`);

test("vi: a file is opened, edited with arrow keys, resized, saved and left", { skip }, async () => {
  await exec(crest(), container, "printf 'one\\ntwo\\nthree\\n' >/tmp/poem");
  const session = await open(`${untilSize(24, 80)} exec vi /tmp/poem`);
  await session.resize(80, 24);
  // The last line says the mode, the file, whether it was changed, and the line of how many.
  await session.until(/- \/tmp\/poem .*1\/3/);
  await session.until(lineOf(24));
  await session.type(keys.down);
  await session.until(/- \/tmp\/poem .*2\/3/);
  await session.type("A");
  await session.until(/I \/tmp\/poem .*2\/3/);
  await session.type(" and a half");
  await session.until(/half/);
  await session.type(`${keys.left.repeat(6)}nearly ${keys.down}`);
  await session.until(/I \/tmp\/poem .*3\/3/);
  await session.type(keys.escape);
  await session.until(/- \/tmp\/poem \[Modified\].*3\/3/);

  await session.resize(100, 30);
  await session.until(lineOf(30));

  await session.type("ofour");
  await session.until(/I \/tmp\/poem \[Modified\].*4\/4/);
  await session.type(`${keys.up}${keys.up}${keys.escape}`);
  await session.until(/- \/tmp\/poem \[Modified\].*2\/4/);
  await session.type(`:wq${keys.enter}`);
  assert.equal(exitCodeOf(await session.status()), 0);
  const saved = await exec(crest(), container, "cat /tmp/poem");
  assert.equal(saved.stdout, "one\ntwo and nearly a half\nthree\nfour\n");
});
