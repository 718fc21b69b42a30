/** Port-forward through the whole gateway: channels for several ports, raw tunnels for one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { answering, echo, type PortScript, ports, refusing, stalled } from "../support/spdy-behaviours.ts";
import {
  base64,
  type Client,
  type OpenOptions,
  type SessionGateway,
  sessionGateway,
  v4,
} from "../support/spdy-gateway.ts";
import { keptBytes, stillValue } from "../support/spdy-memory.ts";

const mebibyte = 1024 * 1024;

function forward(gateway: SessionGateway, numbers: readonly number[], options: OpenOptions = {}): Client {
  const query = numbers.map((port) => `ports=${port}`).join("&");
  const raw = options.raw ? "&raw=true" : "";
  return gateway.open(`${gateway.pod}/portforward?${query}${raw}`, {
    subprotocols: options.raw ? [] : [v4],
    ...options,
  });
}

/** What came on a channel behind the port's announcement. */
const said = (client: Client, number: number): string => client.bytes(number).subarray(2).toString();

test("each port is announced on its two channels, in two bytes, little-endian", async (t) => {
  const gateway = await sessionGateway(t);
  const numbers = [80, 8443, 65_535, 1];
  for (const subprotocols of [[v4], [base64], []]) {
    const client = forward(gateway, numbers, { subprotocols });
    await eventually(() => client.frames.length === 8);
    assert.deepEqual(
      client.frames.map(({ channel, payload }) => [channel, payload.readUInt16LE(), payload.length]),
      numbers.flatMap((port, index) => [
        [2 * index, port, 2],
        [2 * index + 1, port, 2],
      ]),
    );
    client.socket.terminate();
  }
});

test("each port has a session of its own, with its streams in Kubernetes' order", async (t) => {
  const gateway = await sessionGateway(t);
  const client = forward(gateway, [80, 81]);
  await client.opened;
  const { sessions } = gateway.streams;
  await Promise.all(sessions.map((session) => session.stream("data")));
  assert.deepEqual(
    sessions.map(({ streams }) => streams.map(({ headers, inputEnded }) => [headers, inputEnded])),
    [80, 81].map((port) => [
      [{ port: String(port), requestid: "0", streamtype: "error" }, true],
      [{ port: String(port), requestid: "0", streamtype: "data" }, false],
    ]),
  );
  assert.deepEqual(
    gateway.fake.callsOf("RuntimeService/PortForward").map(({ request }) => request.port),
    [[80], [81]],
  );
});

test("data goes both ways on every port, and stays apart", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: echo, 81: echo, 82: echo });
  for (const subprotocols of [[v4], [base64]]) {
    const client = forward(gateway, [80, 81, 82], { subprotocols });
    await client.opened;
    for (const [index, text] of ["zero", "one", "two"].entries()) await client.send(2 * index, text);
    await eventually(
      () => said(client, 0) === "zero" && said(client, 2) === "one" && said(client, 4) === "two",
    );
    for (const number of [1, 3, 5]) assert.equal(said(client, number), "");
    client.socket.terminate();
  }
});

test("v4.base64 reaches the ports whose channels have more than one digit", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports(
    Object.fromEntries(Array.from({ length: 39 }, (_, index) => [index + 1, echo])),
  );
  const client = forward(
    gateway,
    Array.from({ length: 39 }, (_, index) => index + 1),
    { subprotocols: [base64] },
  );
  await client.opened;
  for (const index of [0, 5, 38]) {
    await client.send(2 * index, `to ${index}`);
    await eventually(() => said(client, 2 * index) === `to ${index}`);
  }
});

test("a hundred ports are forwarded at once", async (t) => {
  const gateway = await sessionGateway(t);
  const numbers = Array.from({ length: 100 }, (_, index) => 1000 + index);
  gateway.streams.behaviour = ports(Object.fromEntries(numbers.map((port) => [port, echo])));
  const client = forward(gateway, numbers);
  await client.opened;
  await client.send(198, "the last one");
  await eventually(() => said(client, 198) === "the last one");
  client.socket.close();
  await eventually(async () => (await gateway.count()) === 0);
});

test("each port takes a place of --max-sessions, and is dialled only when all find one", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { mostSessions: 50 } });
  const numbers = Array.from({ length: 20 }, (_, index) => 1000 + index);
  gateway.streams.behaviour = ports(Object.fromEntries(numbers.map((port) => [port, echo])));
  const clients = [forward(gateway, numbers), forward(gateway, numbers)];
  await Promise.all(clients.map(({ opened }) => opened));
  const path = `${gateway.pod}/portforward?${numbers.map((port) => `ports=${port}`).join("&")}`;
  for (let left = 8; left > 0; left--) {
    const { status, problem } = await gateway.refusal(path, { subprotocols: [v4] });
    assert.deepEqual([status, problem.code], [429, "too_many_sessions"]);
    assert.match(String(problem.detail), /10 of 50 places are free, 20 are needed/);
  }
  assert.equal(gateway.fake.callsOf("RuntimeService/PortForward").length, 40);
  assert.equal(gateway.streams.connections, 40);
  await forward(gateway, numbers.slice(10)).opened;
  assert.equal((await gateway.refusal(`${gateway.container}/attach`)).status, 429);

  clients[0]?.socket.close();
  await eventually(async () => (await gateway.count()) === 2);
  await forward(gateway, numbers).opened;
});

test("more ports than --max-sessions has places are 400: waiting would not help", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { mostSessions: 2 } });
  const path = `${gateway.pod}/portforward?ports=80&ports=81&ports=82`;
  const { status, problem } = await gateway.refusal(path, { subprotocols: [v4] });
  assert.deepEqual([status, problem.code], [400, "invalid_request"]);
  assert.match(String(problem.detail), /at most 2/);
});

test("a refused port tells the runtime's words on its error channel, and the others go on", async (t) => {
  const gateway = await sessionGateway(t);
  const words = "error forwarding port 81 to pod X: failed to connect to localhost:81: connection refused";
  gateway.streams.behaviour = ports({ 80: echo, 81: refusing(words) });
  const client = forward(gateway, [80, 81]);
  await eventually(() => said(client, 3) === words);
  await client.send(2, "to nobody");
  await client.send(0, "to somebody");
  await eventually(() => said(client, 0) === "to somebody");
  assert.equal(said(client, 2), "");
  assert.equal(client.socket.readyState, client.socket.OPEN);
});

test("what is sent to a port that refused and does not read holds no other up for long", async (t) => {
  const gateway = await sessionGateway(t);
  let refuse = (): void => undefined;
  const script: PortScript = async (data, error, session) => {
    session.stopReading();
    await new Promise<void>((resolve) => {
      refuse = resolve;
    });
    await refusing("connection refused")(data, error, session);
  };
  gateway.streams.behaviour = ports({ 80: script, 81: echo });
  const client = forward(gateway, [80, 81]);
  await client.opened;
  const message = Buffer.alloc(mebibyte - 1);
  for (let left = 48; left > 0; left--) void client.send(0, message);
  void client.send(2, "behind all that");
  await stillValue(() => client.socket.bufferedAmount);
  refuse();
  await eventually(() => said(client, 2) === "behind all that", { timeoutMs: 15_000 });
  assert.equal(said(client, 1), "connection refused");
});

test("a port that is over is let go while the others go on", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: answering("short"), 81: echo });
  const client = forward(gateway, [80, 81]);
  await client.opened;
  const [first, second] = gateway.streams.sessions;
  (await first?.stream("data"))?.input.resume();
  await first?.closed;
  assert.equal(second?.isClosed, false);
  await client.send(2, "goes on");
  await eventually(() => said(client, 2) === "goes on");
  assert.equal(said(client, 0), "short");
});

test("a refusal is told also where the runtime leaves the data stream open", async (t) => {
  const gateway = await sessionGateway(t);
  const silent: PortScript = async (_data, error) => {
    await error.write("it will not work");
    error.end();
  };
  gateway.streams.behaviour = ports({ 80: silent });
  const client = forward(gateway, [80]);
  await eventually(() => said(client, 1) === "it will not work");
});

test("when all ports are over the session ends with 1000", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({
    80: answering("HTTP/1.1 200 OK\r\n\r\n"),
    81: refusing("no"),
    82: answering(""),
  });
  const client = forward(gateway, [80, 81, 82]);
  assert.deepEqual(await client.closed, { code: 1000, reason: "" });
  assert.equal(said(client, 0), "HTTP/1.1 200 OK\r\n\r\n");
  assert.equal(said(client, 3), "no");
  await eventually(async () => (await gateway.count()) === 0);
});

test("our half is not ended before the peer's", async (t) => {
  const gateway = await sessionGateway(t);
  let isEndedEarly: boolean | undefined;
  const script: PortScript = async (data, error) => {
    error.end();
    const [question] = await new Promise<[Buffer]>((resolve) =>
      data.input.once("data", (chunk: Buffer) => resolve([chunk])),
    );
    isEndedEarly = data.inputEnded;
    await data.write(`you said ${question}`);
    data.end();
    data.input.resume();
    await eventually(() => data.inputEnded);
  };
  gateway.streams.behaviour = ports({ 80: script });
  const client = forward(gateway, [80]);
  await client.opened;
  await client.send(0, "all");
  // An empty message is no end.
  await client.send(0, "");
  assert.equal((await client.closed).code, 1000);
  assert.equal(said(client, 0), "you said all");
  assert.equal(isEndedEarly, false);
  assert.deepEqual(gateway.streams.failures, []);
});

test("what a client sent before it left still arrives, and then the end", async (t) => {
  const gateway = await sessionGateway(t);
  const received: Buffer[] = [];
  const sink: PortScript = async (data, error) => {
    error.end();
    for await (const chunk of data.input) received.push(chunk);
    data.end();
  };
  gateway.streams.behaviour = ports({ 80: sink });
  for (const raw of [false, true]) {
    received.length = 0;
    const client = forward(gateway, [80], { raw });
    await client.opened;
    for (let left = 4; left > 0; left--) await client.send(0, Buffer.alloc(256 * 1024, "u"));
    client.socket.close();
    const session = gateway.streams.sessions.at(-1);
    await session?.closed;
    assert.equal(Buffer.concat(received).length, mebibyte);
    await eventually(async () => (await gateway.count()) === 0);
  }
});

test("a session whose peer does not end either is dropped two seconds after its client", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: stalled });
  const client = forward(gateway, [80]);
  await client.opened;
  const begun = performance.now();
  client.socket.close();
  await eventually(async () => (await gateway.count()) === 0);
  const took = performance.now() - begun;
  assert.ok(took > 1500 && took < 4000, `${took} ms`);
  const [session] = gateway.streams.sessions;
  session?.drain();
  await session?.closed;
});

test("a port that never reads stalls no other, either way", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({
    80: stalled,
    81: echo,
    82: async (data, error) => {
      error.end();
      for (let left = 8; left > 0; left--) await data.write(Buffer.alloc(mebibyte, "d"));
    },
  });
  const client = forward(gateway, [80, 81, 82]);
  await client.opened;
  // More than a shared session would take before it stalls.
  await client.send(0, Buffer.alloc(mebibyte - 1));
  await client.send(2, "a lively one");
  await eventually(() => said(client, 2) === "a lively one");
  await eventually(() => client.bytes(4).length === 2 + 8 * mebibyte, { timeoutMs: 10_000 });
});

test("a peer that reads nothing holds the client, with little kept", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: stalled });
  const client = forward(gateway, [80], { raw: true });
  await client.opened;
  const before = keptBytes();
  const message = Buffer.alloc(512 * 1024);
  for (let left = 96; left > 0; left--) void client.send(0, message);
  const last = await stillValue(() => client.socket.bufferedAmount);
  assert.ok(last > 16 * mebibyte, `only ${last} bytes wait at the client`);
  assert.ok(keptBytes() - before - last < 64 * mebibyte);
});

test("a client that reads nothing holds the peer, and another session goes on", async (t) => {
  const gateway = await sessionGateway(t);
  let written = 0;
  gateway.streams.behaviour = ports({
    80: async (data, error, session) => {
      error.end();
      for (const chunk = Buffer.alloc(256 * 1024); !session.isClosed; written += chunk.length)
        await data.write(chunk);
    },
    81: echo,
  });
  const [slow, lively] = [forward(gateway, [80], { onMessage: () => undefined }), forward(gateway, [81])];
  await Promise.all([slow.opened, lively.opened]);
  slow.socket.pause();
  const last = await stillValue(() => written);
  await lively.send(0, "goes on");
  await eventually(() => said(lively, 0) === "goes on");
  slow.socket.resume();
  await eventually(() => written > last + 4 * mebibyte, { timeoutMs: 20_000 });
});

test("only the ports that were asked for are reached", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: echo, 81: echo });
  const client = forward(gateway, [80]);
  await client.opened;
  // Channels of ports that were not asked for, error channels, and none.
  for (const number of [1, 2, 3, 4, 198, 255]) await client.send(number, "to another");
  client.socket.send(Buffer.alloc(0));
  await client.send(0, "to mine");
  await eventually(() => said(client, 0) === "to mine");
  assert.deepEqual(
    gateway.streams.sessions.flatMap(({ streams }) => streams.map(({ headers }) => headers.port)),
    ["80", "80"],
  );
});

test("a runtime that goes away closes with 1012, with what had come", async (t) => {
  const gateway = await sessionGateway(t);
  const script: PortScript = async (data, error, session) => {
    error.end();
    await data.write("half an answer");
    session.close();
  };
  gateway.streams.behaviour = ports({ 80: script, 81: answering("whole") });
  for (const [numbers, raw] of [
    [[80], true],
    [[80], false],
    [[81, 80], false],
  ] as const) {
    const client = forward(gateway, numbers, { raw });
    assert.deepEqual(await client.closed, { code: 1012, reason: "the runtime went away" });
    const all = client.frames.map(({ payload }) => payload.toString("latin1")).join("");
    assert.ok(all.includes("half an answer"));
  }
});

test("a raw tunnel carries bytes without channels, text or binary, and ends with its peer", async (t) => {
  const gateway = await sessionGateway(t);
  const script: PortScript = async (data, error) => {
    error.end();
    let came = "";
    for await (const chunk of data.input) {
      came += chunk;
      await data.write(chunk);
      if (came.endsWith("bye")) break;
    }
    data.end();
  };
  gateway.streams.behaviour = ports({ 80: script });
  for (const subprotocols of [[], [v4]]) {
    const client = forward(gateway, [80], { raw: true, subprotocols });
    await client.opened;
    await client.send(0, Buffer.from([0, 1, 2, 255]));
    await client.send(0, "");
    client.socket.send("as text, ");
    await client.send(0, "bye");
    assert.deepEqual(await client.closed, { code: 1000, reason: "" });
    assert.deepEqual(
      client.bytes(),
      Buffer.concat([Buffer.from([0, 1, 2, 255]), Buffer.from("as text, bye")]),
    );
  }
});

test("a raw tunnel to a port that refuses closes with 4502 and the beginning of why", async (t) => {
  const gateway = await sessionGateway(t);
  const words = `connection refused: ${"ä".repeat(200)}`;
  gateway.streams.behaviour = ports({ 80: refusing(words) });
  const client = forward(gateway, [80], { raw: true });
  const { code, reason } = await client.closed;
  assert.equal(code, 4502);
  assert.ok(words.startsWith(reason) && reason.length > 60, reason);
  assert.equal(client.frames.length, 0);
});

test("8 MiB go through a raw tunnel and back, byte for byte", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: echo });
  const client = forward(gateway, [80], { raw: true });
  await client.opened;
  const sent = Array.from({ length: 64 }, (_, index) => Buffer.alloc(128 * 1024, index + 1));
  for (const bytes of sent) void client.send(0, bytes);
  await eventually(() => client.bytes().length === 8 * mebibyte, { timeoutMs: 10_000, intervalMs: 50 });
  assert.ok(client.bytes().equals(Buffer.concat(sent)));
});
