/** Clients that leave before the 101, or send before it: nothing stays behind, and nothing is lost. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { hanging, held } from "../support/fake-runtime.ts";
import { cat, echo, ports } from "../support/spdy-behaviours.ts";
import {
  handshakeBytes,
  maskedMessage,
  type SessionGateway,
  sessionGateway,
  v4,
} from "../support/spdy-gateway.ts";

/** A connection that has sent a handshake. */
async function begin(
  t: TestContext,
  gateway: SessionGateway,
  path: string,
  more: Uint8Array = Buffer.alloc(0),
): Promise<Socket> {
  const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(
    Buffer.concat([Buffer.from(handshakeBytes(gateway.port, path, { subprotocols: [v4] })), more]),
  );
  return socket;
}

/** The ways in which a client goes. */
const ways: { readonly [way: string]: (socket: Socket) => void } = {
  "ends its side": (socket) => void socket.end(),
  "closes its connection": (socket) => void socket.destroy(),
  "resets its connection": (socket) => void socket.resetAndDestroy(),
};

for (const [way, go] of Object.entries(ways)) {
  test(`a client that ${way} during the RPC cancels it, and nothing is dialled`, async (t) => {
    const gateway = await sessionGateway(t);
    for (const [rpc, path] of [
      ["RuntimeService/Exec", `${gateway.container}/exec?command=ls`],
      ["RuntimeService/Attach", `${gateway.container}/attach`],
      ["RuntimeService/PortForward", `${gateway.pod}/portforward?ports=80&ports=81`],
    ] as const) {
      gateway.fake.on(rpc, hanging());
      const socket = await begin(t, gateway, path);
      const [call] = await eventually(() => {
        const calls = gateway.fake.callsOf(rpc);
        return calls.length === 1 ? calls : undefined;
      });
      assert.equal(await gateway.count(), 1);
      go(socket);
      await eventually(() => call?.cancelled);
      await eventually(async () => (await gateway.count()) === 0);
      assert.equal(gateway.fake.callsOf(rpc).length, 1);
    }
    assert.deepEqual(gateway.streams.requests, []);
    assert.deepEqual(gateway.logged, []);
  });

  test(`a client that ${way} while the state is read starts nothing`, async (t) => {
    const gateway = await sessionGateway(t);
    const gate = held();
    gateway.fake.on("RuntimeService/ContainerStatus", gate.answer);
    const socket = await begin(t, gateway, `${gateway.container}/exec?command=ls`);
    await gate.arrived;
    go(socket);
    await eventually(async () => (await gateway.count()) === 0);
    gate.release();
    await gateway.refusal(`${gateway.container}/exec?command=ls&tty=perhaps`);
    assert.equal(gateway.fake.callsOf("RuntimeService/Exec").length, 0);
  });

  test(`a client that ${way} while its id is looked up starts nothing`, async (t) => {
    const gateway = await sessionGateway(t);
    const gate = held();
    gateway.fake.on("RuntimeService/ListContainers", gate.answer);
    const socket = await begin(t, gateway, `${gateway.container.slice(0, -20)}/exec?command=ls`);
    await gate.arrived;
    go(socket);
    // It is noticed, whatever still runs.
    await eventually(() => socket.destroyed || socket.readableEnded || socket.read() === null);
    gate.release();
    await eventually(async () => (await gateway.count()) === 0);
    assert.equal(gateway.fake.callsOf("RuntimeService/Exec").length, 0);
    assert.deepEqual(gateway.streams.requests, []);
  });

  test(`a client that ${way} during the dial leaves no connection to the runtime`, async (t) => {
    const gateway = await sessionGateway(t);
    gateway.streams.refusal = "silence";
    for (const path of [`${gateway.container}/exec?command=ls`, `${gateway.pod}/portforward?ports=80`]) {
      const before = gateway.streams.requests.length;
      const socket = await begin(t, gateway, path);
      await eventually(() => gateway.streams.requests.length === before + 1);
      go(socket);
      await eventually(async () => (await gateway.count()) === 0);
      await eventually(() => gateway.streams.connections === 0);
    }
    assert.deepEqual(gateway.logged, []);
  });
}

test("a client that leaves between the dials of two ports leaves neither open", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = ports({ 80: echo });
  const gate = held();
  const { fake, streams } = gateway;
  const own = fake.streamUrl;
  fake.streamUrl = async (stream) => {
    if (stream.ports[0] === 81) await gate.answer({}, {} as never);
    return own?.(stream) ?? 0;
  };
  const socket = await begin(t, gateway, `${gateway.pod}/portforward?ports=80&ports=81&ports=82`);
  await eventually(() => fake.callsOf("RuntimeService/PortForward").length === 2);
  assert.equal(streams.sessions.length, 1);
  socket.end();
  await streams.sessions[0]?.closed;
  gate.release();
  await eventually(async () => (await gateway.count()) === 0);
  assert.equal(fake.callsOf("RuntimeService/PortForward").length, 2);
  assert.equal(streams.requests.length, 1);
});

test("messages that are sent with the handshake, or before the 101, are not lost", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const gate = held();
  gateway.fake.on("RuntimeService/Exec", gate.answer);
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  const socket = await begin(t, gateway, path, maskedMessage(Buffer.from("\0with the handshake, ")));
  await gate.arrived;
  socket.write(maskedMessage(Buffer.from("\0before the 101, ")));
  let came = "";
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    came += text;
  });
  gate.release();
  await eventually(() => came.includes("101 Switching Protocols"));
  socket.write(maskedMessage(Buffer.from("\0after it")));
  await eventually(
    () =>
      came.includes("with the handshake, ") && came.includes("before the 101, ") && came.endsWith("after it"),
  );
});

test("a client that sends early and leaves before the 101 leaves nothing behind", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const gate = held();
  gateway.fake.on("RuntimeService/Exec", gate.answer);
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  for (const go of Object.values(ways)) {
    const socket = await begin(t, gateway, path, maskedMessage(Buffer.from("\0early")));
    await gate.arrived;
    socket.write(maskedMessage(Buffer.from("\0and more")));
    go(socket);
  }
  gate.release();
  await eventually(async () => (await gateway.count()) === 0);
  await eventually(() => gateway.streams.sessions.every(({ isClosed }) => isClosed));
});

test("a client that leaves as soon as the 101 has come leaves nothing behind", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  for (const go of Object.values(ways)) {
    for (let left = 5; left > 0; left--) {
      const socket = await begin(t, gateway, path);
      await new Promise((resolve) => socket.once("data", resolve));
      go(socket);
    }
  }
  await eventually(async () => (await gateway.count()) === 0);
  await eventually(() => gateway.streams.sessions.every(({ isClosed }) => isClosed));
});

test("many clients that come and go at any moment leave nothing behind", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  const goings = Object.values(ways);
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const socket = await begin(t, gateway, path);
      // Some loops of events later.
      for (let turns = index % 20; turns > 0; turns--) await new Promise(setImmediate);
      goings[index % goings.length]?.(socket);
    }),
  );
  await eventually(async () => (await gateway.count()) === 0);
  await eventually(() => gateway.streams.connections === 0);
  assert.deepEqual(gateway.streams.failures, []);
});
