/** Commands through a WebSocket, in a container of the real containerd: streams, subprotocols, bulk, slow readers. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { watchMemory } from "../support/process-memory.ts";
import {
  base64,
  channel,
  command,
  exitCodeOf,
  type OpenOptions,
  openSession,
  type Query,
  refusal,
  type Session,
  v4,
  v5,
} from "./clients/session.ts";
import { anyProblemOf, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { createContainer, exec, type Resource, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let pod: Resource;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod);
  },
});

const MiB = 1024 * 1024;
/** Half of a transfer shows what it needs; how much more the rest may take of the gateway's memory. */
const mostRiseMiB = 32;

function open(query: Query, options: OpenOptions = {}): Promise<Session> {
  return openSession(crest(), `${container.path}/exec`, { ...options, query });
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

for (const offered of [[v5], [v4], [base64], []] as const) {
  const name = offered[0] ?? "no subprotocol";
  test(`${name}: stdout, stderr and the exit code are told apart`, { skip }, async () => {
    const session = await open(command("echo out; echo err >&2; exit 3"), { subprotocols: offered });
    assert.equal(session.socket.protocol, offered[0] ?? "");
    const status = await session.status();
    assert.deepEqual([session.text(), session.text(channel.stderr)], ["out\n", "err\n"]);
    assert.deepEqual([status.status, status.reason, exitCodeOf(status)], ["Failure", "NonZeroExitCode", 3]);
  });

  test(`${name}: every byte passes unchanged, in both directions`, { skip }, async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const session = await open(command(["head", "-c", "256"], { stdin: true, stdout: true }), {
      subprotocols: offered,
    });
    await session.type(all);
    assert.equal(exitCodeOf(await session.status()), 0);
    assert.deepEqual(session.bytes(), all);
  });
}

test("offered several subprotocols, the gateway takes v5", { skip }, async () => {
  const { socket } = await open(command(["true"]), { subprotocols: ["channel.k8s.io", v4, base64, v5] });
  assert.equal(socket.protocol, v5);
});

test("a browser's token comes as a subprotocol, which is not echoed", { skip }, async () => {
  const token = Buffer.from(crest().token).toString("base64url");
  const session = await open(command(["echo", "in"]), {
    headers: { authorization: undefined },
    subprotocols: [`base64url.bearer.authorization.k8s.io.${token}`, v4],
  });
  assert.equal(session.socket.protocol, v4);
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "in\n");
});

test("the first message is empty, on the lowest channel that the client reads", { skip }, async () => {
  for (const [streams, first] of [
    [{ stdin: true, stdout: true, stderr: true }, channel.stdout],
    [{ stdin: true, stdout: false }, channel.stderr],
    [{ stdin: true, stdout: false, stderr: false }, channel.status],
  ] as const) {
    const session = await open(command(["cat"], streams));
    assert.equal(await eventually(() => session.firstChannel()), first);
    assert.equal(session.bytes(first).length, 0);
    await session.endInput();
    assert.equal(exitCodeOf(await session.status()), 0);
  }
});

test("exit codes come as they are, and 128 + n for a signal", { skip }, async () => {
  for (const [script, exitCode] of [
    ["exit 0", 0],
    ["exit 255", 255],
    ["kill -9 $$", 137],
  ] as const) {
    assert.equal(exitCodeOf(await (await open(command(script))).status()), exitCode, script);
  }
});

test("a command that does not exist is refused before the upgrade", { skip }, async () => {
  // Where the node is so busy that the runtime says it late, it comes as the command's status.
  await eventually(
    async () => {
      const answer = await refusal(crest(), `${container.path}/exec`, {
        query: command(["no-such-command"]),
      });
      assert.match(problemOf(answer, 400, "command_not_found").detail, /no-such-command/);
      return true;
    },
    { timeoutMs: 30_000 },
  );
});

test("a command that is silent has its session all the same", { skip }, async () => {
  const session = await open(command("read line; echo heard $line", { stdin: true }));
  await session.type("it\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "heard it\n");
});

test("a shell with a terminal and without a choice of streams shows its output", { skip }, async () => {
  const session = await open({ command: "sh", tty: true, stdin: true });
  await session.type("echo $((40 + 2))\n");
  await session.until(/42\r\n/);
  await session.type("exit\n");
  assert.equal(exitCodeOf(await session.status()), 0);
});

test("the half-close of v5 ends stdin, and the output that follows arrives", { skip }, async () => {
  const session = await open(command("wc -c; echo after", { stdin: true, stdout: true }));
  await session.type("12345");
  await session.endInput();
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "5\nafter\n");
});

test("v4 has no half-close: what would be one is ignored", { skip }, async () => {
  const session = await open(command(["head", "-n", "1"], { stdin: true, stdout: true }), {
    subprotocols: [v4],
  });
  await session.endInput();
  await session.type("still open\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "still open\n");
});

test("empty messages and unknown channels are ignored", { skip }, async () => {
  const session = await open(command(["head", "-n", "1"], { stdin: true, stdout: true }));
  session.socket.send(Buffer.alloc(0));
  await session.send(77, "?");
  await session.send(channel.stdout, "?");
  await session.send(channel.stdin, "");
  await session.type("heard\n");
  assert.equal(exitCodeOf(await session.status()), 0);
  assert.equal(session.text(), "heard\n");
});

test("100 MB through cat come back the same, and the gateway's memory stays flat", { skip }, async (t) => {
  const chunk = Buffer.alloc(128 * 1024, "Crest, in and out. ");
  const chunks = 800;
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  let count = 0;
  let status = "";
  const session = await open(command(["cat"], { stdin: true, stdout: true }), {
    onMessage(number, payload) {
      if (number === channel.status) status += payload;
      if (number !== channel.stdout) return;
      received.update(payload);
      count += payload.length;
    },
  });
  const memory = watchMemory(crest().process.pid);
  for (let index = 0; index < chunks; index++) {
    if (index === chunks / 2) memory.settled();
    chunk.writeUInt32LE(index);
    sent.update(chunk);
    await session.type(chunk);
  }
  await session.endInput();
  assert.equal((await session.ended).code, 1000);
  const rise = memory.stop();
  t.diagnostic(`the gateway's memory rose by ${rise} MiB`);
  assert.equal(JSON.parse(status).status, "Success");
  assert.equal(count, chunks * chunk.length);
  assert.equal(received.digest("hex"), sent.digest("hex"));
  assert.ok(rise < mostRiseMiB, `${rise} MiB`);
});

test("100 MB of output arrive whole, and the gateway's memory stays flat", { skip }, async (t) => {
  const bytes = 17_500_000 * "Crest\n".length;
  const received = createHash("sha256");
  const memory = watchMemory(crest().process.pid);
  let count = 0;
  const session = await open(command(`yes Crest | head -c ${bytes}`), {
    onMessage(number, payload) {
      if (number !== channel.stdout) return;
      received.update(payload);
      if (count < bytes / 2 && count + payload.length >= bytes / 2) memory.settled();
      count += payload.length;
    },
  });
  assert.equal((await session.ended).code, 1000);
  const rise = memory.stop();
  t.diagnostic(`the gateway's memory rose by ${rise} MiB`);
  assert.equal(count, bytes);
  assert.equal(received.digest("hex"), sha256(Buffer.alloc(bytes, "Crest\n")));
  assert.ok(rise < mostRiseMiB, `${rise} MiB`);
});

test("a slow reader stalls its own process, and neither the gateway nor its neighbours", {
  skip,
}, async (t) => {
  const total = 64;
  const progress = async () => Number((await exec(crest(), container, "cat /tmp/progress")).stdout);
  let count = 0;
  const writer = `i=0; while [ $i -lt ${total} ]; do i=$((i+1)); echo $i >/tmp/progress; head -c ${MiB} /dev/zero; done`;
  const slow = await open(command(writer, { stdout: true }), {
    onMessage(number, payload) {
      if (number === channel.stdout) count += payload.length;
    },
  });
  slow.socket.pause();
  let seen = 0;
  const stalledAt = await eventually(
    async () => {
      const before = seen;
      seen = await progress();
      return seen > 0 && seen === before && seen;
    },
    { timeoutMs: 30_000, intervalMs: 500 },
  );
  t.diagnostic(`stalled with about ${stalledAt} MiB on the way`);
  assert.ok(stalledAt < total / 2, `${stalledAt} of ${total}`);

  const neighbour = await open(command(["cat"], { stdin: true, stdout: true }));
  let expected = "";
  for (let turn = 0; turn < 50; turn++) {
    expected += `${turn}\n`;
    await neighbour.type(`${turn}\n`);
    await eventually(() => neighbour.text() === expected, { timeoutMs: 2000 });
  }
  await neighbour.endInput();
  assert.equal(exitCodeOf(await neighbour.status()), 0);
  assert.equal(await progress(), stalledAt);

  slow.socket.resume();
  assert.equal((await slow.ended).code, 1000);
  assert.equal(count, total * MiB);
  assert.equal(await progress(), total);
});

test("what can fail before the upgrade is answered as a problem", { skip }, async () => {
  const created = await createContainer(crest(), pod);
  const absent = { path: `/v1/containers/${"f".repeat(64)}` };
  const all = command(["true"]);
  for (const [path, options, status, code] of [
    [`${created.path}/exec`, { query: all }, 409, "not_running"],
    [`${created.path}/attach`, {}, 409, "not_running"],
    [`${absent.path}/exec`, { query: all }, 404, "not_found"],
    [`${container.path}/exec`, {}, 400, "invalid_request"],
    [`${container.path}/exec`, { query: { ...all, stdout: false, stderr: false } }, 400, "invalid_request"],
    [`${container.path}/exec`, { query: { ...all, tee: true } }, 400, "invalid_request"],
    [`${container.path}/exec`, { query: all, subprotocols: ["v9.channel.k8s.io"] }, 400, "invalid_request"],
    [`${container.path}/exec`, { query: all, headers: { authorization: undefined } }, 401, "unauthenticated"],
    [
      `${container.path}/exec`,
      { query: all, headers: { origin: "https://example.com" } },
      403,
      "origin_not_allowed",
    ],
  ] as const) {
    problemOf(await refusal(crest(), path, options), status, code);
  }
});

test("a plain GET of a session is 426 and says what to do", { skip }, async () => {
  const answer = await crest().get(`${container.path}/exec?command=true`);
  assert.equal(anyProblemOf(answer).code, "upgrade_required");
  assert.equal(answer.headers.upgrade, "websocket");
});

test("after all that the gateway has logged no failure", { skip }, async () => {
  const lines = crest().process.stderr().trimEnd().split("\n");
  assert.deepEqual(
    lines.filter((line) => JSON.parse(line).level !== "info"),
    [],
  );
  bodyOf(await crest().get("/v1/version"));
});
