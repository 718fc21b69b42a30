/** Attaching to running containers of the real containerd: input, output, several clients, a slow one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import {
  channel,
  exitCodeOf,
  type OpenOptions,
  openSession,
  type Query,
  type Session,
  v4,
} from "./clients/session.ts";
import { assertDone } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  createContainer,
  exec,
  exited,
  type Resource,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let pod: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
  },
});

const MiB = 1024 * 1024;
const all: Query = { stdin: true, stdout: true, stderr: true };
const busy = { timeoutMs: 30_000, intervalMs: 20 };

function attach(container: Resource, options: OpenOptions = {}): Promise<Session> {
  return openSession(crest(), `${container.path}/attach`, { query: all, ...options });
}

/** Answers each line that comes, on both outputs. */
const answering = shell(
  'while read line; do echo "out $line"; echo "err $line" >&2; done; echo end of input',
);

/** Waits until a reader gets output: containerd answers an attach a little before it begins to hand on. */
async function joined(reader: Session, writer: Session): Promise<void> {
  await eventually(async () => {
    await writer.type("there?\n");
    return /out there\?\n/.test(reader.text());
  }, busy);
}

test("input, output and errors of a container's own process go through", { skip }, async () => {
  const container = await runContainer(crest(), pod, { ...answering, stdin: true });
  const session = await attach(container);
  await session.type("one\n");
  await session.until(/out one\n/);
  await session.until(/err one\n/, { on: channel.stderr });
  assert.equal((await session.close()).code, 1000);
  assert.equal((await containerStatus(crest(), container)).state, "CONTAINER_RUNNING");
});

test("output is attached unless it is switched off, whether or not input is named", { skip }, async () => {
  const container = await runContainer(crest(), pod, { ...answering, stdin: true });
  const reader = await attach(container, { query: {} });
  const both = await attach(container, { query: { stdin: true } });
  const writer = await attach(container, { query: { stdin: true, stdout: false, stderr: false } });
  for (const session of [reader, both]) await joined(session, writer);
  await writer.type("two\n");
  for (const session of [reader, both]) {
    await session.until(/out two\n/);
    await session.until(/err two\n/, { on: channel.stderr });
  }
  assert.equal(writer.bytes().length, 0);
  await Promise.all([reader, both, writer].map((session) => session.close()));
});

test("two clients both see all output, and either may type", { skip }, async () => {
  const container = await runContainer(crest(), pod, { ...answering, stdin: true });
  const both = [await attach(container), await attach(container, { subprotocols: [v4] })] as const;
  for (const session of both) await joined(session, both[0]);
  await both[0].type("from one\n");
  for (const session of both) await session.until(/out from one\n/);
  await both[1].type("from two\n");
  for (const session of both) await session.until(/out from one\nout from two\n/);
  await Promise.all(both.map((session) => session.close()));
});

test("stdin stays open for the next client, however one leaves", { skip }, async () => {
  const container = await runContainer(crest(), pod, { ...answering, stdin: true });
  const leave: readonly ((session: Session) => unknown)[] = [
    (session) => session.close(),
    (session) => session.socket.terminate(),
    async (session) => {
      await session.endInput();
      await session.close();
    },
  ];
  for (const [turn, left] of leave.entries()) {
    const session = await attach(container);
    await session.type(`${turn}\n`);
    await session.until(new RegExp(`out ${turn}\n`));
    await left(session);
  }
  const last = await attach(container);
  await last.type("still\n");
  await last.until(/out still\n/);
  assert.doesNotMatch(last.text(), /end of input/);
  await last.close();
});

test("with stdinOnce the first client that leaves ends the container's input", { skip }, async () => {
  const container = await runContainer(crest(), pod, {
    ...shell("tee /tmp/all; echo end of input; sleep 3600"),
    ...{ stdin: true, stdinOnce: true },
  });
  const watcher = await attach(container, { query: {} });
  const session = await attach(container, { query: { stdin: true } });
  await session.type("all that comes");
  // containerd drops what it has not handed on when the connection ends.
  await watcher.until(/all that comes/);
  await session.close();
  await watcher.until(/end of input\n/);
  assert.equal((await exec(crest(), container, "cat /tmp/all")).stdout, "all that comes");
  await watcher.close();
});

test("with stdinOnce the half-close ends the container's input, and its output arrives", {
  skip,
}, async () => {
  const container = await runContainer(crest(), pod, {
    ...shell("sha256sum; exit 4"),
    ...{ stdin: true, stdinOnce: true },
  });
  const session = await attach(container);
  await session.type("abc");
  await session.endInput();
  await session.until(/ba7816bf8f01cfea/);
  assert.equal((await exited(crest(), container)).exitCode, 4);
});

test("a terminal is attached with its size and its echo", { skip }, async () => {
  const container = await runContainer(crest(), pod, {
    ...shell('until [ "$(stty size 2>/dev/null)" = "33 99" ]; do :; done; echo sized; exec sh'),
    ...{ stdin: true, tty: true },
  });
  const session = await attach(container, { query: { stdin: true, stdout: true, tty: true } });
  await session.resize(99, 33);
  await session.until(/sized\r\n/);
  await session.type("echo $((6*7))\n");
  await session.until(/echo \$\(\(6\*7\)\)\r\n42\r\n/);
  await session.close();
});

test("the status is Success however the container exits; its own status has the code", {
  skip,
}, async () => {
  const container = await runContainer(crest(), pod, {
    ...shell('while read line && [ "$line" != go ]; do echo "out $line"; done; echo bye; exit 9'),
    stdin: true,
  });
  const session = await attach(container);
  await joined(session, session);
  await session.type("go\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.match(session.text(), /out there\?\nbye\n$/);
  assert.equal((await exited(crest(), container)).exitCode, 9);
});

test("a container that is not running cannot be attached to, one that is started can", { skip }, async () => {
  const container = await createContainer(crest(), pod, { ...answering, stdin: true });
  await assert.rejects(attach(container), /answered 409/);
  assertDone(await crest().post(`${container.path}/start`));
  await (await attach(container)).close();
});

test("a slow reader is dropped, and stops neither the container, nor its log, nor another reader", {
  skip,
}, async (t) => {
  const bytes = 48 * MiB;
  const container = await runContainer(crest(), pod, {
    ...shell(`read go; yes 0123456789abcde | head -c ${bytes}; read go; echo last; sleep 3600`),
    stdin: true,
  });
  let received = 0;
  const quick = await attach(container, {
    onMessage(number, payload) {
      if (number === channel.stdout) received += payload.length;
    },
  });
  const slow = await attach(container, { query: { stdout: true }, onMessage: () => undefined });
  slow.socket.pause();
  await quick.type("go\n");
  // More than the gateway and the kernel hold for it: it is dropped by now, and has some seconds to read that.
  await eventually(() => received > bytes / 2, busy);
  slow.socket.resume();
  const ending = await slow.ended;
  t.diagnostic(`the slow reader was told: ${ending.code} ${ending.reason}`);
  assert.deepEqual(ending, { code: 4408, reason: "the client reads too slowly" });

  await eventually(() => received === bytes, busy);
  const { logPath } = await containerStatus(crest(), container);
  await quick.type("go\n");
  await eventually(() => received === bytes + "last\n".length, busy);
  // Crest rotates the log meanwhile: the file holds its last part.
  await eventually(() => /stdout F last\n$/.test(readFileSync(logPath, "latin1").slice(-100)), busy);
  await quick.close();
});
