/** Exec and attach through the whole gateway: what comes and goes on each channel, and how a session ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { cat, command, exited, finish, success } from "../support/spdy-behaviours.ts";
import {
  base64,
  type Client,
  channel,
  type SessionGateway,
  sessionGateway,
  v4,
  v5,
} from "../support/spdy-gateway.ts";
import type { ServerSession } from "../support/spdy-server.ts";

const exec = (gateway: SessionGateway, query = ""): string => `${gateway.container}/exec?command=sh${query}`;
const interactive = "&stdin=true&stdout=true&stderr=true";

/** The session of the client that was opened last. */
function newest({ streams }: SessionGateway): ServerSession {
  const session = streams.sessions.at(-1);
  assert.ok(session, "no session was opened");
  return session;
}

const channelsOf = ({ frames }: Client): number[] => frames.map((frame) => frame.channel);

test("a command's output comes on its channels, then its status once, then 1000", async (t) => {
  const gateway = await sessionGateway(t);
  for (const [subprotocols, status] of [
    [[v5], success],
    [[v4], exited(3)],
    [[base64], exited(137)],
    [[], success],
  ] as const) {
    gateway.streams.behaviour = command({ stdout: "out\xff", stderr: "err", status });
    const client = gateway.open(exec(gateway), { subprotocols });
    assert.deepEqual(await client.closed, { code: 1000, reason: "" });
    assert.equal(client.text(channel.stdout), "out\xff");
    assert.equal(client.text(channel.stderr), "err");
    assert.equal(client.text(channel.status), status);
    assert.deepEqual(channelsOf(client), [1, 1, 2, 3]);
    assert.equal(await gateway.count(), 0);
  }
});

test("the runtime is asked for what the client asked for, its id complete", async (t) => {
  const gateway = await sessionGateway(t);
  const id = gateway.container.slice(-64);
  const asked: object[] = [];
  const own = gateway.fake.streamUrl;
  gateway.fake.streamUrl = (stream) => {
    const { token: _, ...rest } = stream;
    asked.push(rest);
    return own?.(stream) ?? 0;
  };
  const short = gateway.container.slice(0, -52);
  for (const [path, expected] of [
    [
      `${short}/exec?command=ls&command=-l&command=a%20b`,
      { kind: "exec", command: ["ls", "-l", "a b"], stdout: true, stderr: true },
    ],
    [`${short}/exec?command=sh&tty=true`, { kind: "exec", command: ["sh"], stdout: true, tty: true }],
    [
      `${short}/exec?command=sh&tty=true&stdin=true&stdout=true`,
      { kind: "exec", command: ["sh"], stdin: true, stdout: true, tty: true },
    ],
    [
      `${short}/exec?command=sh&stdin=true`,
      { kind: "exec", command: ["sh"], stdin: true, stdout: true, stderr: true },
    ],
    [
      `${short}/exec?command=sh&tty=1&stdin=1&stdout=1&stderr=1`,
      { kind: "exec", command: ["sh"], stdin: true, stdout: true, tty: true },
    ],
    [`${short}/exec?command=sh&stderr=False`, { kind: "exec", command: ["sh"], stdout: true }],
    [`${short}/attach`, { kind: "attach", stdout: true, stderr: true }],
    [`${short}/attach?stdin=true&stderr=false&stdout=true`, { kind: "attach", stdin: true, stdout: true }],
  ] as const) {
    const client = gateway.open(path);
    await client.opened;
    client.socket.terminate();
    const silent = { tty: false, stdin: false, stdout: false, stderr: false, command: [], ports: [] };
    assert.deepEqual(asked.at(-1), { ...silent, ...expected, id });
  }
});

test("the first message is an empty one on the lowest channel that the client reads", async (t) => {
  const gateway = await sessionGateway(t);
  for (const [query, first] of [
    ["", 1],
    ["&stdout=false", 2],
    ["&stdin=true&stdout=false&stderr=false", 3],
    ["&stdin=true", 1],
    ["&stdin=true&stdout=true&tty=true", 1],
  ] as const) {
    for (const subprotocols of [[v5], [base64]]) {
      const client = gateway.open(exec(gateway, query), { subprotocols });
      await eventually(() => client.frames.length === 1);
      assert.deepEqual(client.frames, [{ channel: first, payload: Buffer.alloc(0) }]);
      client.socket.terminate();
    }
  }
});

test("stdin goes through byte for byte, and v5 ends it: cat gives 3 MiB back", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
  await client.opened;
  const bytes = Buffer.from(Array.from({ length: 256 * 12 }, (_, index) => index & 255));
  const sent: Buffer[] = [];
  for (let left = 1024; left > 0; left--) {
    sent.push(bytes);
    void client.send(channel.stdin, bytes);
  }
  await client.send(channel.close, Buffer.from([channel.stdin]));
  assert.equal((await client.closed).code, 1000);
  assert.ok(client.bytes(channel.stdout).equals(Buffer.concat(sent)));
  assert.equal(client.text(channel.status), success);
});

test("v4.base64 carries any bytes both ways", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"), { subprotocols: [base64] });
  await client.opened;
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  for (const length of [1, 2, 3, 256]) await client.send(channel.stdin, bytes.subarray(-length));
  await eventually(() => client.bytes(channel.stdout).length === 262);
  client.socket.send("0not base64!");
  client.socket.send("");
  client.socket.send("no channel");
  await client.send(channel.stdin, "end");
  await eventually(() => client.text(channel.stdout).endsWith("end"));
  assert.equal(client.bytes(channel.stdout).length, 265);
});

test("a session without a subprotocol is as v4, and takes text messages too", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"), { subprotocols: [] });
  await client.opened;
  client.socket.send("\0as text, ");
  await client.send(channel.stdin, "as bytes");
  await client.send(channel.close, Buffer.from([channel.stdin]));
  await eventually(() => client.text(channel.stdout) === "as text, as bytes");
  assert.equal((await newest(gateway).stream("stdin")).inputEnded, false);
});

test("a half-close of v5 that is malformed closes with 4400, and the rest goes on without it", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  for (const malformed of [[], [0, 0], [0, 1, 2]]) {
    const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
    await client.opened;
    await client.send(channel.close, Buffer.from(malformed));
    const { code, reason } = await client.closed;
    assert.deepEqual([code, reason], [4400, "a close message has two bytes"]);
    await newest(gateway).closed;
  }
});

test("a half-close of another channel than stdin, and of stdin twice, is passed over", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
  await client.opened;
  for (const number of [1, 2, 3, 4, 77, 255]) await client.send(channel.close, Buffer.from([number]));
  await client.send(channel.stdin, "still open");
  await eventually(() => client.text(channel.stdout) === "still open");
  await client.send(channel.close, Buffer.from([0]));
  await client.send(channel.close, Buffer.from([0]));
  await client.send(channel.stdin, "too late");
  assert.equal((await client.closed).code, 1000);
  assert.equal(client.text(channel.stdout), "still open");
  assert.equal(newest(gateway).failure, undefined);
});

test("v4 has no half-close: the message is passed over", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  for (const subprotocols of [[v4], [base64], []]) {
    const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"), { subprotocols });
    await client.opened;
    client.socket.send(Buffer.from([255, 0]));
    client.socket.send(Buffer.from([255]));
    await client.send(channel.stdin, "goes on");
    await eventually(() => client.text(channel.stdout) === "goes on");
    assert.equal((await newest(gateway).stream("stdin")).inputEnded, false);
    client.socket.terminate();
  }
});

test("empty messages, unknown channels and those that only the gateway sends are passed over", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
  await client.opened;
  client.socket.send(Buffer.alloc(0));
  client.socket.send("");
  client.socket.send(Buffer.from([channel.stdin]));
  for (const number of [1, 2, 3, 5, 6, 77, 254]) await client.send(number, "not for stdin");
  await client.send(channel.stdin, "for stdin");
  await client.send(channel.close, Buffer.from([channel.stdin]));
  assert.equal((await client.closed).code, 1000);
  assert.equal(client.text(channel.stdout), "for stdin");
});

test("stdin that was not asked for goes nowhere", async (t) => {
  const gateway = await sessionGateway(t);
  const client = gateway.open(exec(gateway));
  await client.opened;
  await client.send(channel.stdin, "to nobody");
  await client.send(channel.close, Buffer.from([channel.stdin]));
  const session = newest(gateway);
  await session.stream("stderr");
  await finish(session);
  assert.equal((await client.closed).code, 1000);
  assert.deepEqual(
    session.streams.map(({ headers, receivedBytes }) => [headers.streamtype, receivedBytes]),
    [
      ["error", 0],
      ["stdout", 0],
      ["stderr", 0],
    ],
  );
});

test("with a terminal the end of input is the byte 4, twice behind an unfinished line", async (t) => {
  const gateway = await sessionGateway(t);
  for (const [typed, received] of [
    ["exit\n", "exit\n\x04"],
    ["exit", "exit\x04\x04"],
    ["", "\x04"],
  ] as const) {
    const client = gateway.open(exec(gateway, "&stdin=true&stdout=true&tty=true"));
    await client.opened;
    if (typed !== "") await client.send(channel.stdin, typed);
    await client.send(channel.close, Buffer.from([channel.stdin]));
    const stdin = await newest(gateway).stream("stdin");
    await eventually(() => stdin.receivedBytes === received.length);
    assert.equal(stdin.input.read()?.toString(), received);
    assert.equal(stdin.inputEnded, false);
  }
});

test("channel.k8s.io and base64.channel.k8s.io give the message of a failure, and nothing for success", async (t) => {
  const gateway = await sessionGateway(t);
  for (const protocol of ["channel.k8s.io", "base64.channel.k8s.io"]) {
    gateway.streams.behaviour = (session) => finish(session);
    const good = gateway.open(exec(gateway), { subprotocols: [protocol] });
    assert.equal((await good.closed).code, 1000);
    assert.equal(good.socket.protocol, protocol);
    assert.equal(good.text(channel.status), "");
    const status = { status: "Failure", message: "command terminated with non-zero exit code: 3" };
    gateway.streams.behaviour = (session) => finish(session, JSON.stringify(status));
    const bad = gateway.open(exec(gateway), { subprotocols: [protocol] });
    assert.equal((await bad.closed).code, 1000);
    assert.equal(bad.text(channel.status), status.message);
  }
});

test("a command of 256 KiB reaches the runtime", async (t) => {
  const gateway = await sessionGateway(t);
  const script = "x".repeat(120 * 1024);
  const path = `${gateway.container}/exec?command=sh&command=-c&command=${script}&command=${script}`;
  const client = gateway.open(path);
  await client.opened;
  const [call] = gateway.fake.callsOf("RuntimeService/Exec");
  assert.deepEqual(call?.request.cmd, ["sh", "-c", script, script]);
});

test("sizes are written anew, and what is none is passed over", async (t) => {
  const gateway = await sessionGateway(t);
  const client = gateway.open(exec(gateway, "&stdin=true&stdout=true&tty=true"));
  await client.opened;
  for (const text of [
    '{"Width":80,"Height":24}',
    "{",
    "",
    '{"Width":0,"Height":0}',
    '{"Width":70000,"Height":24}',
    '{"Width":80}{"Height":24}',
    ' {"height": 50, "width": 132, "more": [1]} ',
  ]) {
    await client.send(channel.resize, text);
  }
  const resize = await newest(gateway).stream("resize");
  const expected = '{"Width":80,"Height":24}\n{"Width":132,"Height":50}\n';
  await eventually(() => resize.receivedBytes >= expected.length);
  assert.equal(resize.input.read()?.toString(), expected);
});

test("sizes without a terminal go nowhere", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(exec(gateway, "&stdin=true&stderr=false"));
  await client.opened;
  await client.send(channel.resize, '{"Width":80,"Height":24}');
  await client.send(channel.stdin, "typed");
  await eventually(() => client.text(channel.stdout) === "typed");
  assert.deepEqual(
    newest(gateway).streams.map(({ headers }) => headers.streamtype),
    ["error", "stdin", "stdout"],
  );
});

test("a status that never comes behind much input is given up after the grace: exit unknown, and 1000", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { statusGraceMs: 50 } });
  gateway.streams.behaviour = command({ stdout: "all of it", status: undefined });
  const client = gateway.open(exec(gateway, interactive));
  await client.opened;
  await client.send(channel.stdin, Buffer.alloc(128 * 1024));
  assert.equal((await client.closed).code, 1000);
  assert.equal(client.text(channel.stdout), "all of it");
  const { status, reason, message } = JSON.parse(client.text(channel.status));
  assert.deepEqual([status, reason], ["Failure", "InternalError"]);
  assert.match(message, /^exit unknown: /);
  newest(gateway).drain();
  await newest(gateway).closed;
});

test("a runtime that goes away closes with 1012 and says that the exit is unknown", async (t) => {
  const gateway = await sessionGateway(t);
  for (const [path, go] of [
    [exec(gateway, interactive), (session: ServerSession) => session.drop()],
    [`${gateway.container}/attach`, (session: ServerSession) => session.close()],
    [
      exec(gateway, interactive),
      (session: ServerSession) => session.send(Buffer.from([0x80, 0xff, 0, 0, 0, 0, 0, 0])),
    ],
  ] as const) {
    const client = gateway.open(path);
    await client.opened;
    const session = newest(gateway);
    await (await session.stream("stdout")).write("some of it");
    await eventually(() => client.text(channel.stdout) === "some of it");
    void go(session);
    assert.deepEqual(await client.closed, { code: 1012, reason: "the runtime went away" });
    assert.match(JSON.parse(client.text(channel.status)).message, /^exit unknown: /);
    assert.equal(channelsOf(client).filter((number) => number === channel.status).length, 1);
  }
});

test("what the runtime sent before it went away still comes", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = async (session) => {
    const stdout = await session.stream("stdout");
    await session.stream("error");
    void stdout.write(Buffer.alloc(20_000, "z"));
    session.close();
  };
  const client = gateway.open(exec(gateway, "&stdout=true"));
  assert.equal((await client.closed).code, 1012);
  assert.equal(client.bytes(channel.stdout).length, 20_000);
  assert.equal(client.frames.at(-1)?.channel, channel.status);
});

test("a client that goes, in whatever way, drops the runtime's connection", async (t) => {
  const gateway = await sessionGateway(t);
  for (const path of [exec(gateway, interactive), `${gateway.container}/attach?stdin=true&stdout=true`]) {
    for (const go of ["close", "terminate"] as const) {
      const client = gateway.open(path);
      await client.opened;
      const session = newest(gateway);
      await session.stream("stdout");
      client.socket[go]();
      await session.closed;
      assert.deepEqual(
        session.controls.map(({ type }) => type),
        [],
        "no GOAWAY and no reset: a graceful end would leave the process running",
      );
      await eventually(async () => (await gateway.count()) === 0);
    }
  }
});

test("the end of the gateway closes every session with 1001 and drops the runtime's side", async (t) => {
  const gateway = await sessionGateway(t);
  const clients = [
    gateway.open(exec(gateway, interactive)),
    gateway.open(`${gateway.container}/attach`, { subprotocols: [v4] }),
    gateway.open(`${gateway.pod}/portforward?ports=80`, { subprotocols: [v4] }),
    gateway.open(`${gateway.pod}/portforward?ports=80&raw=true`, { subprotocols: [], raw: true }),
  ];
  await Promise.all(clients.map(({ opened }) => opened));
  assert.equal(await gateway.count(), 4);
  const closed = gateway.app.close();
  for (const client of clients) {
    assert.deepEqual(await client.closed, { code: 1001, reason: "the gateway is shutting down" });
  }
  await closed;
  await Promise.all(gateway.streams.sessions.map((session) => session.closed));
});

test("the end of the gateway waits a moment, and no longer, for clients that do not answer", async (t) => {
  // Longer than a test may take.
  const gateway = await sessionGateway(t, { sessions: { limits: { graceMs: 3_600_000 } } });
  gateway.streams.behaviour = cat;
  const clients = [
    gateway.open(exec(gateway, interactive)),
    gateway.open(`${gateway.container}/attach?stdin=true&stdout=true`),
    gateway.open(`${gateway.pod}/portforward?ports=80`, { subprotocols: [v4] }),
  ];
  await Promise.all(clients.map(({ opened }) => opened));
  for (const { socket } of clients) socket.pause();
  await gateway.app.close();
  for (const { socket } of clients) socket.resume();
  const codes = await Promise.all(clients.map(({ closed }) => closed.then(({ code }) => code)));
  assert.deepEqual(codes, [1001, 1001, 1001]);
  await Promise.all(gateway.streams.sessions.map((session) => session.closed));
});

test("a message over 16 MiB closes its session with 1009 and a reason, and no other", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const [large, other] = [
    gateway.open(exec(gateway, "&stdin=true&stdout=true")),
    gateway.open(exec(gateway, "&stdin=true&stdout=true")),
  ];
  await Promise.all([large.opened, other.opened]);
  const bytes = 16 * 1024 * 1024 - 1;
  await large.send(channel.stdin, Buffer.alloc(bytes));
  await eventually(() => large.bytes(channel.stdout).length === bytes, { timeoutMs: 20_000 });
  void large.send(channel.stdin, Buffer.alloc(bytes + 1));
  assert.deepEqual(await large.closed, { code: 1009, reason: "a message may have at most 16 MiB" });
  await other.send(channel.stdin, "unharmed");
  await eventually(() => other.text(channel.stdout) === "unharmed");
  await eventually(async () => (await gateway.count()) === 1);
});

test("frames that break RFC 6455 close their session with 1002 or 1007, and no other", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const other = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
  await other.opened;
  for (const [bytes, code] of [
    // Unmasked; a reserved opcode; text that is not UTF-8; a close code that does not exist.
    [Buffer.from([0x82, 1, 0]), 1002],
    [Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    [Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]), 1007],
    [Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0, 1]), 1002],
  ] as const) {
    const client = gateway.open(exec(gateway, "&stdin=true&stdout=true"));
    await client.opened;
    const { _socket: socket } = client.socket as unknown as { readonly _socket: NodeJS.WritableStream };
    socket.write(bytes);
    assert.equal((await client.closed).code, code);
    await newest(gateway).closed;
  }
  await other.send(channel.stdin, "unharmed");
  await eventually(() => other.text(channel.stdout) === "unharmed");
  assert.deepEqual(gateway.logged, []);
});

for (const manner of mannerNames) {
  test(`${manner}: exec, attach and port-forward reach the URL that it answers`, async (t) => {
    const gateway = await sessionGateway(t, { manner });
    const status = manner === "cri-o" ? '{"status":"Success"}' : success;
    gateway.streams.behaviour = command({ stdout: `${manner}\n`, status });
    const prefix = manner === "cri-dockerd" ? "/cri" : "";
    for (const path of [exec(gateway), `${gateway.container}/attach`]) {
      const client = gateway.open(path);
      assert.equal((await client.closed).code, 1000);
      assert.equal(client.text(channel.stdout), `${manner}\n`);
      assert.equal(client.text(channel.status), status);
    }
    gateway.streams.behaviour = async (session) => {
      (await session.stream("error")).end();
      (await session.stream("data")).end();
    };
    const client = gateway.open(`${gateway.pod}/portforward?ports=80`, { subprotocols: [v4] });
    assert.equal((await client.closed).code, 1000);
    assert.deepEqual(
      gateway.streams.requests,
      ["exec", "attach", "portforward"].map(
        (kind, index) => `POST ${prefix}/${kind}/${gateway.streamTokens[index]}`,
      ),
    );
  });
}

test("a command that the runtime cannot start ends with the runtime's own status", async (t) => {
  const gateway = await sessionGateway(t);
  const status = JSON.stringify({
    status: "Failure",
    reason: "InternalError",
    message: "Internal error occurred: error executing command in container: not found",
    code: 500,
  });
  gateway.streams.behaviour = command({ status });
  const client = gateway.open(exec(gateway));
  assert.equal((await client.closed).code, 1000);
  assert.equal(client.text(channel.status), status);
});

test("readyz?verbose counts the sessions, for those who may read the runtime", async (t) => {
  const gateway = await sessionGateway(t);
  const clients = [gateway.open(exec(gateway)), gateway.open(`${gateway.container}/attach`)];
  await Promise.all(clients.map(({ opened }) => opened));
  const ask = async (headers: Record<string, string>): Promise<Response> =>
    fetch(`http://127.0.0.1:${gateway.port}/readyz?verbose`, { headers });
  const told = await ask({ authorization: "Bearer a-token-for-web-sockets" });
  assert.deepEqual([told.status, await told.text()], [200, "runtime ok\nsessions 2\n"]);
  const stranger = await ask({});
  assert.equal(stranger.status, 401);
  assert.ok(!(await stranger.text()).includes("sessions"));
  const plain = await fetch(`http://127.0.0.1:${gateway.port}/readyz`);
  assert.equal(await plain.text(), "ok\n");
});

test("readyz?verbose needs read:runtime, and tells of a runtime that is down", async (t) => {
  const without = await sessionGateway(t, { grants: { all: false, allow: { exec: true }, deny: {} } });
  const url = (port: number): string => `http://127.0.0.1:${port}/readyz?verbose`;
  const headers = { authorization: "Bearer a-token-for-web-sockets" };
  const refused = await fetch(url(without.port), { headers });
  assert.equal(refused.status, 403);
  assert.equal(((await refused.json()) as { grant: string }).grant, "read:runtime");
  assert.deepEqual(without.fake.calls, []);

  const allowed = await sessionGateway(t, { grants: { all: false, allow: { read: ["runtime"] }, deny: {} } });
  await allowed.fake.stop();
  const down = await fetch(url(allowed.port), { headers });
  assert.deepEqual([down.status, await down.text()], [503, "runtime does not answer\nsessions 0\n"]);
});
