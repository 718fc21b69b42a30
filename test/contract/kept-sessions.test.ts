/** Kept sessions on the wire: lost connections, positions, who may come back, and when a session ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { cat, command, exited, finish, outputsOf } from "../support/spdy-behaviours.ts";
import {
  base64,
  type Client,
  channel,
  type SessionGateway,
  sessionGateway,
} from "../support/spdy-gateway.ts";
import type { ServerSession } from "../support/spdy-server.ts";

const control = 5;
const interactive = "&stdin=true&stdout=true&stderr=true";

interface Welcome {
  readonly session: { readonly id: string; readonly lingerSeconds: number };
  readonly input: number;
  readonly output: number;
  readonly lost: number;
}

const begin = (gateway: SessionGateway, query = interactive): Client =>
  gateway.open(`${gateway.container}/exec?command=sh&session=keep${query}`);

/** What the gateway says first. */
async function welcome({ frames }: Client): Promise<Welcome> {
  const first = await eventually(() => frames.find((frame) => frame.channel === control));
  return JSON.parse(first.payload.toString());
}

const resume = (gateway: SessionGateway, id: string, from?: number, options?: object): Client =>
  gateway.open(`/v1/sessions/${id}/connect${from === undefined ? "" : `?from=${from}`}`, options);

/** Position of the input that the gateway has confirmed last. */
function inputOf({ frames }: Client): number {
  const last = frames.filter((frame) => frame.channel === control).at(-1);
  return last === undefined ? -1 : JSON.parse(last.payload.toString()).input;
}

function newest({ streams }: SessionGateway): ServerSession {
  const session = streams.sessions.at(-1);
  assert.ok(session, "no session was opened");
  return session;
}

async function list(gateway: SessionGateway): Promise<readonly { readonly [name: string]: unknown }[]> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}/v1/sessions`, { headers: bearer });
  return ((await response.json()) as { sessions: [] }).sessions;
}
const bearer = { authorization: "Bearer a-token-for-web-sockets" };

/** Cuts a connection as a network does: without a close. */
async function cut(gateway: SessionGateway, client: Client): Promise<void> {
  client.socket.terminate();
  await eventually(async () => (await list(gateway)).some(({ connected }) => connected === false));
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function echoing(t: TestContext) {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = begin(gateway);
  return { gateway, client, ...(await welcome(client)) };
}

test("session=keep says the id first, and an ordinary session has no channel 5", async (t) => {
  const { gateway, client, session, input, output, lost } = await echoing(t);
  assert.match(session.id, /^[0-9a-f-]{36}$/);
  assert.deepEqual([session.lingerSeconds, input, output, lost], [60, 0, 0, 0]);
  assert.deepEqual(
    client.frames.slice(0, 2).map((frame) => frame.channel),
    [control, channel.stdout],
  );
  const plain = gateway.open(`${gateway.container}/exec?command=sh${interactive}`);
  await eventually(() => plain.frames.length > 0);
  await plain.send(channel.stdin, "hello");
  await eventually(() => plain.text(channel.stdout) === "hello");
  assert.ok(plain.frames.every((frame) => frame.channel !== control));
});

test("a client that was cut off goes on where it was, in both directions", async (t) => {
  const { gateway, client, session } = await echoing(t);
  await client.send(channel.stdin, "one ");
  await eventually(() => client.text(channel.stdout) === "one " && inputOf(client) === 4);
  await cut(gateway, client);
  assert.equal(await gateway.count(), 1);
  // Six bytes arrived, of which the client does not know.
  await newest(gateway).stream("stdin");
  const again = resume(gateway, session.id, 4);
  const { input, output, lost } = await welcome(again);
  assert.deepEqual([input, output, lost], [4, 4, 0]);
  await again.send(channel.stdin, "two");
  await again.send(channel.close, Buffer.from([channel.stdin]));
  assert.equal((await again.closed).code, 1000);
  assert.equal(again.text(channel.stdout), "two");
  assert.equal(inputOf(again), 8);
  assert.equal(await eventually(async () => (await list(gateway)).length === 0), true);
  assert.equal(await gateway.count(), 0);
});

test("output that a lost connection has swallowed comes again from the position that the client names", async (t) => {
  const { gateway, client, session } = await echoing(t);
  await client.send(channel.stdin, "0123456789");
  await eventually(() => client.bytes(channel.stdout).length === 10);
  await cut(gateway, client);
  for (const from of [10, 7, 0, undefined]) {
    const again = resume(gateway, session.id, from);
    assert.equal((await welcome(again)).output, from ?? 0);
    await eventually(() => again.text(channel.stdout) === "0123456789".slice(from ?? 0));
    again.socket.terminate();
  }
  const { status, problem } = await gateway.refusal(`/v1/sessions/${session.id}/connect?from=11`);
  assert.equal(status, 400);
  assert.match(String(problem.detail), /from: must be at most 10/);
});

test("stdout and stderr keep their order, in every subprotocol", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = async (session, request) => {
    const { stdout, stderr } = await outputsOf(session, request);
    for (const part of ["a", "b", "c"]) {
      await stdout?.write(`out-${part}`);
      await stderr?.write(`err-${part}`);
    }
  };
  const client = begin(gateway);
  const { session } = await welcome(client);
  await eventually(() => client.text(channel.stderr).endsWith("err-c"));
  const again = resume(gateway, session.id, 0, { subprotocols: [base64] });
  await eventually(() => again.text(channel.stderr).endsWith("err-c"));
  const said = ({ frames }: Client): string =>
    frames
      .filter((frame) => frame.channel === 1 || frame.channel === 2)
      .map(({ payload }) => payload.toString())
      .join("");
  assert.equal(said(again), said(client));
  // The one before was replaced.
  assert.deepEqual(await client.closed, { code: 4409, reason: "another connection took over the session" });
});

test("the status waits for a client that comes back after the command has ended", async (t) => {
  const gateway = await sessionGateway(t);
  const { promise: mayEnd, resolve: end } = deferred();
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    await stdout?.write("before ");
    await mayEnd;
    await stdout?.write("after");
    await finish(session, exited(7));
  };
  const client = begin(gateway);
  const { session } = await welcome(client);
  await eventually(() => client.text(channel.stdout) === "before ");
  await cut(gateway, client);
  end();
  await eventually(async () => (await list(gateway))[0]?.exited === true);
  const again = resume(gateway, session.id, 7);
  assert.deepEqual(await again.closed, { code: 1000, reason: "" });
  assert.equal(again.text(channel.stdout), "after");
  assert.equal(again.text(channel.status), exited(7));
  assert.equal(await gateway.count(), 0);
});

test("the status comes again if the connection was lost before it had closed", async (t) => {
  const gateway = await sessionGateway(t);
  const { promise: mayEnd, resolve: end } = deferred();
  gateway.streams.behaviour = async (session, request) => {
    await mayEnd;
    await command({ stdout: "all", status: exited(3) })(session, request);
  };
  const client = begin(gateway);
  const { session } = await welcome(client);
  // It answers no close.
  client.socket.pause();
  end();
  await eventually(async () => (await list(gateway))[0]?.exited === true);
  client.socket.terminate();
  const again = await eventually(
    async () => (await list(gateway))[0]?.connected === false && resume(gateway, session.id),
  );
  assert.equal((await again.closed).code, 1000);
  assert.equal(again.text(channel.stdout), "all");
  assert.equal(again.text(channel.status), exited(3));
});

test("1000 or no code ends the session, any other code keeps it", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  for (const [code, isKept] of [
    [1000, false],
    [undefined, false],
    [1001, true],
    [4000, true],
  ] as const) {
    const client = begin(gateway);
    const { session } = await welcome(client);
    if (code === undefined) client.socket.close();
    else client.socket.close(code);
    await client.closed;
    if (isKept) {
      await eventually(async () => (await list(gateway))[0]?.connected === false);
      assert.equal(newest(gateway).isClosed, false);
      const again = resume(gateway, session.id);
      await welcome(again);
      again.socket.close(1000);
    }
    await eventually(() => newest(gateway).isClosed);
    await eventually(async () => (await gateway.count()) === 0);
    assert.equal((await gateway.refusal(`/v1/sessions/${session.id}/connect`)).status, 404);
  }
});

test("without a client the session ends after the linger time, and so does its command", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { lingerMs: 100 } });
  gateway.streams.behaviour = cat;
  const client = begin(gateway);
  const { session } = await welcome(client);
  client.socket.terminate();
  await eventually(() => newest(gateway).isClosed);
  await eventually(async () => (await gateway.count()) === 0);
  const { status, problem } = await gateway.refusal(`/v1/sessions/${session.id}/connect`);
  assert.equal(status, 404);
  assert.match(String(problem.detail), /has ended, or the gateway was restarted/);
});

test("a session of --session-linger 0 ends with its connection", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { lingerMs: 0 } });
  gateway.streams.behaviour = cat;
  const client = begin(gateway);
  assert.equal((await welcome(client)).session.lingerSeconds, 0);
  client.socket.terminate();
  await eventually(() => newest(gateway).isClosed);
  assert.deepEqual(await list(gateway), []);
});

test("a pipe waits without a client, a terminal goes on and keeps the latest 256 KiB", async (t) => {
  const gateway = await sessionGateway(t);
  const size = 1024 * 1024;
  let written = 0;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    const stdin = await session.stream("stdin");
    await once(stdin.input, "readable");
    for (written = 0; written < size; written += 16_384)
      await stdout?.write(Buffer.alloc(16_384, written / 16_384));
    await finish(session);
  };
  const all = Buffer.concat(Array.from({ length: 64 }, (_, index) => Buffer.alloc(16_384, index)));
  for (const query of ["&stdin=true&stdout=true", "&stdin=true&stdout=true&tty=true"]) {
    const client = begin(gateway, query);
    const { session } = await welcome(client);
    await client.send(control, '{"output":0}');
    await client.send(channel.stdin, "go");
    await eventually(() => inputOf(client) === 2);
    await cut(gateway, client);
    const isTerminal = query.includes("tty");
    if (isTerminal) await eventually(async () => (await list(gateway))[0]?.output === size);
    const from = client.bytes(channel.stdout).length;
    const again = resume(gateway, session.id, from);
    const { output, lost } = await welcome(again);
    await again.send(control, JSON.stringify({ output }));
    const confirm = setInterval(() => {
      void again.send(control, JSON.stringify({ output: output + again.bytes(channel.stdout).length }));
    }, 10);
    assert.equal((await again.closed).code, 1000);
    clearInterval(confirm);
    assert.equal(output, from + lost);
    assert.ok(again.bytes(channel.stdout).equals(all.subarray(output)));
    if (isTerminal) assert.ok(size - output <= 256 * 1024 && size - output > 200 * 1024, String(output));
    else assert.equal(lost, 0);
  }
});

test("DELETE ends a session with 4410, connected or not", async (t) => {
  const { gateway, client, session } = await echoing(t);
  const end = async (id: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${gateway.port}/v1/sessions/${id}`, { method: "DELETE", headers: bearer });
  const answer = await end(session.id);
  assert.equal(answer.status, 200);
  assert.equal(((await answer.json()) as { id: string }).id, session.id);
  assert.equal((await client.closed).code, 4410);
  await eventually(() => newest(gateway).isClosed);
  const other = begin(gateway);
  const second = await welcome(other);
  await cut(gateway, other);
  assert.equal((await end(second.session.id)).status, 200);
  await eventually(() => newest(gateway).isClosed);
  assert.equal((await end(second.session.id)).status, 404);
  assert.equal((await end("no-such-session")).status, 404);
});

test("nonsense on channel 5 closes with 4400, and the session ends", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    '{"output":-1}',
    '{"output":1}',
    '{"output":"0"}',
    "x".repeat(65_536),
  ]) {
    const client = begin(gateway);
    await welcome(client);
    await client.send(control, text);
    assert.equal((await client.closed).code, 4400, text.slice(0, 20));
  }
  await eventually(async () => (await gateway.count()) === 0);
});

test("a gateway that stops closes kept sessions too, also those without a client", async (t) => {
  const { gateway, client } = await echoing(t);
  const other = begin(gateway);
  await welcome(other);
  await cut(gateway, other);
  await gateway.app.close();
  assert.equal((await client.closed).code, 1001);
  await eventually(() => gateway.streams.connections === 0);
});
