/** What bounds a session: backpressure both ways, slow readers, dead clients, idle and absolute limits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { cat, finish, flood, outputsOf, success, unread } from "../support/spdy-behaviours.ts";
import {
  type Client,
  channel,
  rawSocketOf,
  type SessionGateway,
  sessionGateway,
} from "../support/spdy-gateway.ts";
import { keptBytes, stillValue } from "../support/spdy-memory.ts";
import type { Behaviour } from "../support/spdy-server.ts";

const mebibyte = 1024 * 1024;
const exec = ({ container }: SessionGateway, query = "&stdin=true&stdout=true"): string =>
  `${container}/exec?command=sh${query}`;

/** A round trip through another session. */
async function answers(client: Client, text: string): Promise<void> {
  const before = client.text(channel.stdout);
  await client.send(channel.stdin, text);
  await eventually(() => client.text(channel.stdout) === before + text);
}

/** `first` for the first session, `others` for the rest. */
function firstThen(first: Behaviour, others: Behaviour): Behaviour {
  let begun = 0;
  return (session, request) => (begun++ === 0 ? first : others)(session, request);
}

/** A client that types until the gateway reads no more of it. */
async function hold(gateway: SessionGateway): Promise<Client> {
  const client = gateway.open(exec(gateway));
  await client.opened;
  const message = Buffer.alloc(512 * 1024);
  const socket = rawSocketOf(client);
  await eventually(
    async () => {
      for (let left = 8; left > 0; left--) void client.send(channel.stdin, message);
      return (await stillValue(() => socket.writableLength)) > 0;
    },
    { timeoutMs: 20_000 },
  );
  return client;
}

test("a slow reader of exec stalls its process, not the gateway, and neighbours go on", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = firstThen(flood(), cat);
  let received = 0;
  const slow = gateway.open(exec(gateway, "&stdout=true"), {
    onMessage: (message) => (received += message.length),
  });
  await slow.opened;
  const neighbour = gateway.open(exec(gateway));
  await neighbour.opened;
  slow.socket.pause();
  const [session] = gateway.streams.sessions;
  assert.ok(session);
  const before = keptBytes();
  const stalled = await stillValue(
    () => (session.socket as unknown as { bytesWritten: number }).bytesWritten,
  );
  // What is on its way lies in the kernel's buffers; of the gateway's own there is little. The flood is
  // endless: what is measured besides is this process's other side, and garbage that waits.
  const kept = keptBytes() - before;
  assert.ok(kept < 64 * mebibyte, `${kept} bytes more are kept`);
  await answers(neighbour, "not stalled");
  slow.socket.resume();
  await eventually(() => received > stalled + 8 * mebibyte, { timeoutMs: 20_000 });
  await answers(neighbour, "nor afterwards");
});

test("a slow reader of exec is waited for however long it takes, and misses nothing", async (t) => {
  const gateway = await sessionGateway(t, {
    sessions: { limits: { pingMs: 40, graceMs: 200 }, statusGraceMs: 100 },
  });
  const bytes = 6 * mebibyte;
  let isWritten = false;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    await stdout?.write(Buffer.alloc(bytes, "x"));
    isWritten = true;
    await finish(session);
  };
  let received = 0;
  const statuses: string[] = [];
  const slow = gateway.open(exec(gateway, "&stdout=true"), {
    onMessage: (message) => {
      if (message[0] === channel.stdout) received += message.length - 1;
      else statuses.push(message.toString("latin1", 1));
    },
  });
  await slow.opened;
  slow.socket.pause();
  // All of it fits into the kernel's buffers: the runtime is through, and has closed.
  await eventually(() => isWritten);
  // Many times the limits in which a client must answer pings, and pings to the runtime.
  const begun = performance.now();
  await eventually(() => performance.now() - begun > 1200);
  assert.equal(await gateway.count(), 1);
  slow.socket.resume();
  assert.equal((await slow.closed).code, 1000);
  assert.equal(received, bytes);
  assert.deepEqual(statuses, [success]);
});

test("a slow reader of exec may ask many times whether the gateway is there", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = flood();
  let received = 0;
  const slow = gateway.open(exec(gateway, "&stdout=true"), {
    onMessage: (message) => (received += message.length),
  });
  await slow.opened;
  slow.socket.pause();
  const [session] = gateway.streams.sessions;
  assert.ok(session);
  await stillValue(() => (session.socket as unknown as { bytesWritten: number }).bytesWritten);
  // kubectl's every five seconds, for most of an hour.
  for (let pings = 0; pings < 500; pings++) slow.socket.ping();
  let answered = 0;
  slow.socket.on("pong", () => answered++);
  const before = received;
  slow.socket.resume();
  await eventually(() => answered === 500 && received > before);
});

/** Bytes that wait at the gateway for all of its clients. */
function waitingBytes({ app }: SessionGateway): number {
  return [...app.server.websocketServer.clients].reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0);
}

test("however many readers of exec stop, what waits for them is bounded, and others go on", async (t) => {
  // For sessions half of it, and for one caller half of that.
  const gateway = await sessionGateway(t, { maxBufferBytes: 16 * mebibyte });
  gateway.streams.behaviour = flood();
  const slow = Array.from({ length: 24 }, () =>
    gateway.open(exec(gateway, "&stdout=true"), { onMessage: () => undefined }),
  );
  await Promise.all(slow.map(({ opened }) => opened));
  for (const { socket } of slow) socket.pause();
  const waiting = await stillValue(() => waitingBytes(gateway));
  assert.ok(waiting > 4 * mebibyte, `the limit is reached: ${waiting} bytes wait`);
  assert.ok(waiting < 10 * mebibyte, `${waiting} bytes wait`);

  gateway.streams.behaviour = cat;
  const lively = gateway.open(exec(gateway));
  await lively.opened;
  await answers(lively, "z".repeat(200 * 1024));
  for (const { socket } of slow) socket.terminate();
  await eventually(() => waitingBytes(gateway) === 0);
});

test("readers of attach that stop are dropped sooner when much waits for others", async (t) => {
  const gateway = await sessionGateway(t, {
    maxBufferBytes: 16 * mebibyte,
    sessions: { limits: { graceMs: 20_000 } },
  });
  gateway.streams.behaviour = flood();
  const slow = Array.from({ length: 6 }, () =>
    gateway.open(exec(gateway, "&stdout=true"), { onMessage: () => undefined }),
  );
  await Promise.all(slow.map(({ opened }) => opened));
  for (const { socket } of slow) socket.pause();
  const before = await stillValue(() => waitingBytes(gateway));
  assert.ok(before > 4 * mebibyte, `the limit is reached: ${before} bytes wait`);
  let written = 0;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    const chunk = Buffer.alloc(32 * 1024, "x");
    for (; !session.isClosed; written += chunk.length) await stdout?.write(chunk);
  };
  const attached = gateway.open(`${gateway.container}/attach?stdout=true`, { onMessage: () => undefined });
  await attached.opened;
  attached.socket.pause();
  await eventually(() => written > 16 * mebibyte, { timeoutMs: 20_000 });
  const more = waitingBytes(gateway) - before;
  assert.ok(more < mebibyte, `${more} bytes more wait`);
  attached.socket.resume();
  assert.equal((await attached.closed).code, 4408);
});

test("a slow reader of attach is dropped with 4408 and never stalls the container", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { graceMs: 20_000 } } });
  const bytes = 64 * mebibyte;
  let written = 0;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    const chunk = Buffer.alloc(mebibyte, "x");
    while (written < bytes && !session.isClosed) {
      await stdout?.write(chunk);
      written += chunk.length;
    }
  };
  const path = `${gateway.container}/attach?stdout=true`;
  let received = 0;
  const slow = gateway.open(path, { onMessage: (message) => (received += message.length) });
  await slow.opened;
  slow.socket.pause();
  await eventually(() => written >= bytes, { timeoutMs: 20_000 });
  assert.equal(gateway.streams.sessions[0]?.isClosed, false);
  slow.socket.resume();
  assert.deepEqual(await slow.closed, { code: 4408, reason: "the client reads too slowly" });
  assert.ok(received > 0 && received < bytes);
  await gateway.streams.sessions[0]?.closed;
});

test("a slow reader of attach that does not even read its close is cut off after the grace", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { graceMs: 100 } } });
  gateway.streams.behaviour = flood();
  const slow = gateway.open(`${gateway.container}/attach?stdout=true`, { onMessage: () => undefined });
  await slow.opened;
  slow.socket.pause();
  await eventually(async () => (await gateway.count()) === 0, { timeoutMs: 20_000 });
  await gateway.streams.sessions[0]?.closed;
});

test("a quick reader of attach gets all of much output", async (t) => {
  const gateway = await sessionGateway(t);
  const bytes = 32 * mebibyte;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    for (let left = bytes / mebibyte; left > 0; left--) await stdout?.write(Buffer.alloc(mebibyte, "y"));
    await finish(session);
  };
  let received = 0;
  const quick = gateway.open(`${gateway.container}/attach?stdout=true`, {
    onMessage: (message) => {
      if (message[0] === channel.stdout) received += message.length - 1;
    },
  });
  assert.equal((await quick.closed).code, 1000);
  assert.equal(received, bytes);
});

test("stdin that the process does not take holds the client, with little kept, and neighbours go on", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = firstThen(unread, cat);
  const held = gateway.open(exec(gateway));
  await held.opened;
  const neighbour = gateway.open(exec(gateway));
  await neighbour.opened;
  const message = Buffer.alloc(512 * 1024);
  const sent = 48 * mebibyte;
  const before = keptBytes();
  for (let at = 0; at < sent; at += message.length) void held.send(channel.stdin, message);
  const waiting = await stillValue(() => held.socket.bufferedAmount);
  assert.ok(waiting > 16 * mebibyte, `only ${waiting} bytes wait at the client`);
  const kept = keptBytes() - before - waiting;
  assert.ok(kept < 64 * mebibyte, `${kept} bytes more are kept`);
  await answers(neighbour, "not held");

  const [session] = gateway.streams.sessions;
  const stdin = await session?.stream("stdin");
  stdin?.input.resume();
  session?.readAgain();
  await eventually(() => stdin?.receivedBytes === sent, { timeoutMs: 20_000 });
  assert.equal(held.socket.bufferedAmount, 0);
});

test("a client that is held still sees pongs, and is told when the session ends", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20 } } });
  gateway.streams.behaviour = unread;
  const held = await hold(gateway);
  let pongs = 0;
  held.socket.on("pong", () => pongs++);
  await eventually(() => pongs >= 3);
  gateway.streams.sessions[0]?.drop();
  assert.equal((await held.closed).code, 1012);
});

test("a client that was held and goes is noticed", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20 } } });
  gateway.streams.behaviour = unread;
  for (const go of ["terminate", "reset"] as const) {
    const held = await hold(gateway);
    if (go === "terminate") held.socket.terminate();
    else rawSocketOf(held).resetAndDestroy();
    await eventually(async () => (await gateway.count()) === 0);
    const session = gateway.streams.sessions.at(-1);
    session?.drain();
    await session?.closed;
  }
});

test("a client whose network is gone is found out by its missing pongs", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20, graceMs: 60 } } });
  const dead = gateway.open(exec(gateway), { autoPong: false });
  await dead.opened;
  await gateway.streams.sessions[0]?.closed;
  assert.equal((await dead.closed).code, 1006);
  await eventually(async () => (await gateway.count()) === 0);
});

test("pings of the client are answered, a flood of them ends its session alone", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const [client, other] = [gateway.open(exec(gateway)), gateway.open(exec(gateway))];
  await Promise.all([client.opened, other.opened]);
  const answered = new Promise((resolve) =>
    client.socket.once("pong", (data: Buffer) => resolve(data.toString())),
  );
  client.socket.ping("are you there?");
  assert.equal(await answered, "are you there?");
  client.socket.pause();
  const ping = Buffer.concat(
    Array.from({ length: 2000 }, () => Buffer.concat([Buffer.from([0x89, 0xfd]), Buffer.alloc(4 + 125)])),
  );
  const socket = rawSocketOf(client);
  await eventually(
    () => {
      socket.write(ping);
      return socket.destroyed || gateway.streams.sessions[0]?.isClosed;
    },
    { intervalMs: 1, timeoutMs: 20_000 },
  );
  await answers(other, "unharmed");
});

test("a session in which nothing is sent ends with 4408 after the idle limit, pings or not", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20, idleMs: 300 } } });
  for (const path of [exec(gateway), `${gateway.container}/attach`, `${gateway.pod}/portforward?ports=80`]) {
    const begun = performance.now();
    const client = gateway.open(path, { subprotocols: ["v4.channel.k8s.io"] });
    const { code, reason } = await client.closed;
    assert.deepEqual([code, reason], [4408, "idle for too long"]);
    assert.ok(performance.now() - begun >= 300);
  }
});

test("output alone keeps a session from being idle, and input alone too", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20, idleMs: 400 } } });
  const [listening, typing] = [gateway.open(exec(gateway)), gateway.open(exec(gateway))];
  await Promise.all([listening.opened, typing.opened]);
  const [first] = gateway.streams.sessions;
  const stdout = await first?.stream("stdout");
  const begun = performance.now();
  await eventually(
    async () => {
      await stdout?.write(".");
      await typing.send(channel.stdin, ".");
      return performance.now() - begun > 1000;
    },
    { intervalMs: 20 },
  );
  assert.equal(await gateway.count(), 2);
});

test("the absolute limit ends a session in the middle of its work with 4408", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20, maxMs: 300 } } });
  gateway.streams.behaviour = flood();
  const client = gateway.open(exec(gateway, "&stdout=true"), { onMessage: () => undefined });
  assert.deepEqual(await client.closed, { code: 4408, reason: "the session reached its time limit" });
  await gateway.streams.sessions[0]?.closed;
});

test("the runtime is pinged, which resets its own idle clock", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 20 } } });
  const client = gateway.open(exec(gateway));
  const forward = gateway.open(`${gateway.pod}/portforward?ports=80&ports=81`, {
    subprotocols: ["v4.channel.k8s.io"],
  });
  await Promise.all([client.opened, forward.opened]);
  await eventually(() =>
    gateway.streams.sessions.every(({ controls }) => controls.filter(({ type }) => type === 6).length >= 3),
  );
  assert.equal(gateway.streams.sessions.length, 3);
});

test("a server that answers no ping is no dead one", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 5 } } });
  gateway.streams.behaviour = unread;
  const client = gateway.open(exec(gateway));
  await client.opened;
  const begun = performance.now();
  // More than the hundred that may be unanswered.
  await eventually(() => performance.now() - begun > 800);
  assert.equal(client.socket.readyState, client.socket.OPEN);
});

test("a server that sends garbage, floods of frames or lies about lengths ends its own session only", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { limits: { pingMs: 1000 } } });
  let attack: Buffer = Buffer.alloc(0);
  const bad: Behaviour = async (session) => {
    await session.stream("error");
    void session.send(attack);
  };
  gateway.streams.behaviour = cat;
  const neighbour = gateway.open(exec(gateway));
  await neighbour.opened;
  gateway.streams.behaviour = bad;
  const frames = (bytes: readonly number[], times: number): Buffer =>
    Buffer.concat(Array.from({ length: times }, () => Buffer.from(bytes)));
  for (const [bytes, ends] of [
    [Buffer.from("HTTP/1.1 500 Internal Server Error\r\n\r\n"), false],
    [Buffer.alloc(100_000, 0xff), true],
    [Buffer.from([0x80, 3, 0, 4, 0, 0xff, 0xff, 0xff]), true],
    [Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 1, 0]), true],
    [Buffer.from([0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 1, 2, 3]), false],
    [frames([0, 0, 0, 99, 0, 0, 0, 0], 50_000), false],
    [frames([0x80, 3, 0, 4, 0, 0, 0, 0], 50_000), false],
    [frames([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2], 50_000), false],
    [frames([0x80, 3, 0, 1, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0], 50_000), false],
  ] as const) {
    attack = bytes;
    const client = gateway.open(exec(gateway));
    await client.opened;
    if (ends) assert.equal((await client.closed).code, 1012);
    await answers(neighbour, "unharmed ");
    client.socket.terminate();
  }
  await eventually(async () => (await gateway.count()) === 1);
  assert.deepEqual(gateway.logged, []);
});
