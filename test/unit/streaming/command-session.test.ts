import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type CommandSession,
  createCommandSession,
  type StreamChoice,
} from "../../../src/streaming/command-session.ts";
import { dial } from "../../../src/streaming/dial.ts";
import { eventually } from "../../support/eventually.ts";
import { exited, finish, success } from "../../support/spdy-behaviours.ts";
import { createSpdyServer, type ServerSession } from "../../support/spdy-server.ts";

const outputs: StreamChoice = { stdin: false, stdout: true, stderr: true, tty: false };
const everything: StreamChoice = { ...outputs, stdin: true };

async function begin(
  t: TestContext,
  streams: StreamChoice = outputs,
  statusGraceMs = 60_000,
): Promise<{ session: CommandSession; server: ServerSession }> {
  const streaming = await createSpdyServer();
  const connection = await dial(streaming.issue("exec"), { protocol: "v4.channel.k8s.io" });
  t.after(() => {
    connection.destroy();
    return streaming.close();
  });
  const session = createCommandSession(connection, streams, { statusGraceMs });
  // As a client that reads.
  session.stdout?.resume();
  session.stderr?.resume();
  const [server] = streaming.sessions;
  assert.ok(server);
  await server.stream("error");
  return { session, server };
}

const typesOf = ({ streams }: ServerSession): unknown[] => streams.map(({ headers }) => headers.streamtype);

test("exactly the streams that were asked for are opened, and resize with a terminal", async (t) => {
  for (const [choice, types] of [
    [outputs, ["error", "stdout", "stderr"]],
    [everything, ["error", "stdin", "stdout", "stderr"]],
    [{ ...everything, stderr: false, tty: true }, ["error", "stdin", "stdout", "resize"]],
    [{ ...everything, tty: true }, ["error", "stdin", "stdout", "resize"]],
    [{ stdin: true, stdout: false, stderr: false, tty: false }, ["error", "stdin"]],
  ] as const) {
    const { server, session } = await begin(t, choice);
    await session.connection.ping();
    assert.deepEqual(typesOf(server), types);
    assert.equal(server.streams[0]?.inputEnded, true, "nothing is ever sent on the error stream");
  }
});

test("the outcome is the status as the runtime wrote it", async (t) => {
  for (const status of [success, exited(3), "no JSON at all", "x".repeat(4096)]) {
    const { session, server } = await begin(t);
    await finish(server, status);
    assert.deepEqual(await session.outcome, { status });
  }
});

async function outcomeOf(t: TestContext, status: string): Promise<{ [member: string]: unknown }> {
  const { session, server } = await begin(t);
  await finish(server, status);
  const outcome = await session.outcome;
  assert.ok("status" in outcome);
  return JSON.parse(outcome.status);
}

test("a long message of a status is cut, and its other members stay", async (t) => {
  const { message: _, ...others } = JSON.parse(exited(3));
  const status = JSON.stringify({ ...others, message: `${"y".repeat(9000)}z` });
  const message = `${"y".repeat(3072)}... (cut) ...${"y".repeat(1023)}z`;
  assert.deepEqual(await outcomeOf(t, status), { ...others, message });
});

test("a status that is too long to be read is a failure, and still JSON", async (t) => {
  for (const status of ["y".repeat(80_000), JSON.stringify({ message: "y".repeat(80_000), code: 500 })]) {
    const { reason, message } = await outcomeOf(t, status);
    assert.equal(reason, "InternalError");
    assert.match(
      String(message),
      /^exit unknown: the runtime's status is not JSON: .{3072}\.\.\. \(cut\) \.\.\..{1024}$/,
    );
  }
});

/** Input of which a runtime's pipes hold all, and a byte more. */
const harmless = Buffer.alloc(64 * 1024);
const muchInput = Buffer.alloc(harmless.length + 1);

async function endOutputs(server: ServerSession): Promise<void> {
  for (const type of ["stdout", "stderr"]) (await server.stream(type)).end();
}

test("with much input and no status the outcome is unknown once the grace after the outputs' end is over", async (t) => {
  const { session, server } = await begin(t, everything, 100);
  session.stdin?.write(muchInput);
  (await server.stream("stdout")).end();
  await session.connection.ping();
  let isSettled = false;
  void session.outcome.then(() => {
    isSettled = true;
  });
  const begun = performance.now();
  await eventually(() => performance.now() - begun > 200);
  assert.equal(isSettled, false, "stderr has not ended");
  (await server.stream("stderr")).end();
  const outcome = await session.outcome;
  assert.ok("status" in outcome);
  assert.match(outcome.status, /"message":"exit unknown: the runtime sent no status/);
  assert.equal(JSON.parse(outcome.status).status, "Failure");
});

test("a status that is late is waited for however long it takes where no input can have held it up", async (t) => {
  for (const [streams, input, graceMs] of [
    [outputs, undefined, 5],
    [everything, undefined, 5],
    [everything, harmless, 5],
    [everything, muchInput, 0],
  ] as const) {
    const { session, server } = await begin(t, streams, graceMs);
    if (input) session.stdin?.write(input);
    await endOutputs(server);
    await session.connection.ping();
    const begun = performance.now();
    await eventually(() => performance.now() - begun > 300);
    await finish(server, exited(3));
    assert.deepEqual(await session.outcome, { status: exited(3) });
  }
});

test("input that comes after the end of the outputs may hold the status up, too", async (t) => {
  const { session, server } = await begin(t, everything, 20);
  await endOutputs(server);
  await session.connection.ping();
  session.stdin?.write(muchInput);
  const outcome = await session.outcome;
  assert.match("status" in outcome ? outcome.status : "", /exit unknown/);
});

test("a status that comes within the grace counts", async (t) => {
  const { session, server } = await begin(t, everything, 60_000);
  session.stdin?.write(muchInput);
  await endOutputs(server);
  await session.connection.ping();
  await (await server.stream("error")).write(success);
  (await server.stream("error")).reset();
  assert.deepEqual(await session.outcome, { status: success });
});

test("a dropped connection is a lost runtime; one that ended in order without a status is not", async (t) => {
  const dropped = await begin(t);
  dropped.server.drop();
  assert.ok("lost" in (await dropped.session.outcome));

  const garbage = await begin(t);
  await garbage.server.send(Buffer.from([0x80, 7, 7, 7, 7, 7, 7, 7]));
  assert.deepEqual(await garbage.session.outcome, { lost: "The peer speaks SPDY version 7, not 3" });

  const orderly = await begin(t);
  orderly.server.goAway();
  orderly.server.close();
  const outcome = await orderly.session.outcome;
  assert.ok("status" in outcome);
  assert.match(outcome.status, /exit unknown: the runtime ended the session without a status/);

  const reset = await begin(t);
  (await reset.server.stream("error")).reset();
  reset.server.drop();
  assert.ok("lost" in (await reset.session.outcome));
});

test("a server that sends on streams which only take holds nothing up", async (t) => {
  const { session, server } = await begin(t, { ...everything, stderr: false, tty: true });
  await (await server.stream("stdin")).write(Buffer.alloc(1024 * 1024));
  await (await server.stream("resize")).write(Buffer.alloc(1024 * 1024));
  await finish(server);
  assert.deepEqual(await session.outcome, { status: success });
});
