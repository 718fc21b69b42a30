/** The client's kept sessions: they go on after every cut, and nothing is missing or comes twice. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { type Client, CrestError, createClient, type Reconnection } from "../../src/client/index.ts";
import { type CuttingProxy, cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { cat, exited, finish, outputsOf } from "../support/spdy-behaviours.ts";
import { type GatewayOptions, type SessionGateway, sessionGateway, token } from "../support/spdy-gateway.ts";

interface Place {
  readonly gateway: SessionGateway;
  readonly proxy: CuttingProxy;
  readonly client: Client;
  readonly containerId: string;
}

async function place(t: TestContext, options: GatewayOptions = {}): Promise<Place> {
  const gateway = await sessionGateway(t, options);
  const proxy = await cuttingProxy(t, gateway.port);
  return {
    gateway,
    proxy,
    client: createClient({ server: proxy.address, token, WebSocket }),
    containerId: gateway.container.slice("/v1/containers/".length),
  };
}

const unhandled: unknown[] = [];
process.on("unhandledRejection", (error) => unhandled.push(error));
test.afterEach(() => assert.deepEqual(unhandled, []));

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

test("an ordinary session has nothing kept", async (t) => {
  const { client, containerId } = await place(t);
  const session = await client.exec({ containerId, command: ["sh"] });
  assert.equal(session.kept, undefined);
  session.close();
});

test("bytes pass once and in order both ways, wherever the connection is cut", async (t) => {
  const { gateway, proxy, client, containerId } = await place(t);
  gateway.streams.behaviour = cat;
  const sent = randomBytes(3 * 1024 * 1024);
  // Within the handshake, the first messages, a message, and far into the stream.
  const cuts = [100, 300, 500, 20_000, 70_001, 300_000, 131_072, 1, 900_000];
  const attempts: Reconnection[] = [];
  let reconnected = 0;
  const session = await client.exec(
    { containerId, command: ["cat"], stdin: true, session: "keep" },
    {
      onReconnect(reconnection) {
        attempts.push(reconnection);
        proxy.cutAfterBytes = cuts.shift();
      },
      onReconnected: ({ lostBytes }) => {
        assert.equal(lostBytes, 0);
        reconnected++;
      },
    },
  );
  proxy.cut();
  const writing = (async () => {
    for (let at = 0; at < sent.length; ) {
      const length = 1 + Math.floor(Math.random() * 100_000);
      await session.stdin.write(sent.subarray(at, at + length));
      at += length;
    }
    await session.stdin.end();
  })();
  const got = await bytesOf(session.stdout);
  await writing;
  assert.ok(got.equals(sent), `${got.length} of ${sent.length} bytes`);
  assert.equal(await session.exitCode, 0);
  assert.ok(reconnected > 1, `${reconnected} reconnections`);
  assert.ok(attempts.every(({ error }) => error instanceof CrestError));
  await eventually(async () => (await gateway.count()) === 0);
});

test("a session goes on with its size, its outputs and its exit code", async (t) => {
  const { gateway, proxy, client, containerId } = await place(t);
  const sizes: string[] = [];
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    const resize = await session.stream("resize");
    const stdin = await session.stream("stdin");
    void (async () => {
      for await (const chunk of resize.input) sizes.push(chunk.toString());
    })();
    for await (const chunk of stdin.input) {
      await stdout?.write(`<${chunk}>`);
      if (String(chunk).includes("q")) return finish(session, exited(4));
    }
  };
  const session = await client.exec({
    ...{ containerId, command: ["sh"], stdin: true, tty: true },
    session: "keep",
  });
  session.resize({ width: 100, height: 30 });
  await eventually(() => sizes.length === 1);
  proxy.cut();
  // While there is no connection.
  session.resize({ width: 90, height: 20 });
  await session.stdin.write("q");
  assert.equal((await bytesOf(session.stdout)).toString(), "<q>");
  assert.equal(await session.exitCode, 4);
  assert.match(sizes.join(""), /"Width":90,"Height":20/);
});

test("detach() leaves a session that resumeSession takes up, as often as one likes", async (t) => {
  const { gateway, client, containerId } = await place(t);
  gateway.streams.behaviour = cat;
  let session = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" });
  const id = session.kept?.id ?? assert.fail("it is not kept");
  let from = 0;
  for (const text of ["one ", "two ", "three"]) {
    await session.stdin.write(text);
    const [chunk] = [await session.stdout[Symbol.asyncIterator]().next()];
    assert.equal(Buffer.from(chunk.value ?? []).toString(), text);
    from += text.length;
    session.kept?.detach();
    await assert.rejects(session.exitCode, { code: "session_closed" });
    const [entry] = await eventually(async () => {
      const { sessions } = await client.listSessions();
      return sessions[0]?.connected === false && sessions;
    });
    assert.equal(entry?.id, id);
    session = await client.resumeSession({ sessionId: id, from });
    assert.equal(session.kept?.id, id);
  }
  await session.stdin.end();
  assert.equal((await bytesOf(session.stdout)).toString(), "");
  assert.equal(await session.exitCode, 0);
  await eventually(async () => (await client.listSessions()).sessions.length === 0);
  await assert.rejects(client.resumeSession({ sessionId: id }), { code: "not_found" });
});

test("who takes over a session ends that of the client before, which stays away", async (t) => {
  const { gateway, client, containerId } = await place(t);
  gateway.streams.behaviour = cat;
  const first = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" });
  const second = await client.resumeSession({ sessionId: first.kept?.id ?? "" });
  await assert.rejects(first.exitCode, { code: "session_taken_over" });
  await second.stdin.write("still here");
  await second.stdin.end();
  assert.equal((await bytesOf(second.stdout)).toString(), "still here");
});

test("close() ends a session, also while its connection is lost", async (t) => {
  const { gateway, proxy, client, containerId } = await place(t);
  gateway.streams.behaviour = cat;
  const direct = createClient({ server: `http://127.0.0.1:${gateway.port}`, token, WebSocket });
  for (const isLost of [false, true]) {
    const session = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" });
    if (isLost) {
      proxy.cut();
      await eventually(async () => (await direct.listSessions()).sessions[0]?.connected === false);
    }
    session.close();
    await assert.rejects(session.exitCode, { code: "session_closed" });
    await eventually(async () => (await gateway.count()) === 0);
  }
});

test("a session that ended meanwhile fails with what the gateway says", async (t) => {
  const { gateway, proxy, client, containerId } = await place(t, { sessions: { lingerMs: 1000 } });
  gateway.streams.behaviour = cat;
  const direct = createClient({ server: `http://127.0.0.1:${gateway.port}`, token, WebSocket });
  const session = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" });
  proxy.cut();
  await direct.endSession({ sessionId: session.kept?.id ?? "" });
  await assert.rejects(session.exitCode, { code: "not_found" });
});

test("with reconnect: false a lost connection is the end", async (t) => {
  const { gateway, proxy, client, containerId } = await place(t);
  gateway.streams.behaviour = cat;
  const options = { reconnect: false };
  const session = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" }, options);
  proxy.cut();
  await assert.rejects(session.exitCode, { code: "connection_lost" });
});
