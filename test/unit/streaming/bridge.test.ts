import assert from "node:assert/strict";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { bridge } from "../../../src/streaming/bridge.ts";
import { channelCodec } from "../../../src/streaming/channels.ts";
import { createCommandSession } from "../../../src/streaming/command-session.ts";
import { defaultLimits } from "../../../src/streaming/liveness.ts";
import { createSpdyConnection } from "../../../src/streaming/spdy/connection.ts";
import { eventually } from "../../support/eventually.ts";
import { webSocketPair } from "../../support/spdy-sockets.ts";

/** A terminal's session at a runtime whose kernel takes nothing any more, until `take` is called. */
async function stuck(t: TestContext) {
  const [client, server] = await webSocketPair(t);
  const streams = { stdin: true, stdout: true, stderr: false, tty: true };
  const taken: Buffer[] = [];
  let isTaking = false;
  let take = (): void => undefined;
  const runtime = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      taken.push(chunk);
      take = () => {
        isTaking = true;
        done();
      };
      if (isTaking) done();
    },
  });
  const connection = createSpdyConnection(runtime);
  const session = createCommandSession(connection, streams, { statusGraceMs: 1000 });
  const codec = channelCodec("v5.channel.k8s.io");
  const bridged = bridge(server, session, {
    streams,
    codec,
    limits: defaultLimits,
    neverStall: false,
    waiting: { force: () => undefined, isOver: false },
    peer: new Socket().on("data", () => undefined),
  });
  return { client, server, session, bridged, taken, take: () => take() };
}

test("sizes, ends of input and input that the runtime does not take hold the client", async (t) => {
  for (const [message, waiting] of [
    [Buffer.from('\x04{"Width":80,"Height":24}'), "resize"],
    [Buffer.from([255, 0]), "stdin"],
    [Buffer.alloc(1000), "stdin"],
  ] as const) {
    const { client, server, session } = await stuck(t);
    const stream = session[waiting];
    assert.ok(stream);
    await eventually(() => {
      for (let left = 20_000; left > 0 && !server.isPaused; left--) client.send(message);
      return server.isPaused;
    });
    // A chunk of the socket's that was on its way is still taken.
    await eventually(() => client.bufferedAmount > 0 || stream.writableLength < 2 * 1024 * 1024);
    assert.ok(stream.writableLength < 2 * 1024 * 1024, `${waiting}: ${stream.writableLength} bytes wait`);
    client.terminate();
  }
});

test("a held client goes free when the session ends", async (t) => {
  const { client, server, session, bridged } = await stuck(t);
  await eventually(() => {
    for (let left = 100; left > 0 && !server.isPaused; left--) client.send(Buffer.alloc(10_000));
    return server.isPaused;
  });
  session.connection.destroy();
  const code = new Promise((resolve) => client.once("close", resolve));
  assert.equal(await code, 1012);
  await bridged.ended;
});

test("a client's last words go out before the connection is dropped", async (t) => {
  const { client, session, bridged, taken, take } = await stuck(t);
  await eventually(() => taken.length > 0);
  client.send("\0last words");
  client.terminate();
  await eventually(() => session.stdin?.sentBytes === "last words".length);
  take();
  await bridged.ended;
  assert.ok(Buffer.concat(taken).includes("last words"));
  await session.connection.closed;
});

test("messages behind the close are not listened to", async (t) => {
  const { client, server, session, bridged } = await stuck(t);
  const before = session.stdin?.writableLength;
  bridged.end(1001, "going");
  server.emit("message", Buffer.from("\0too late"));
  assert.equal(session.stdin?.writableLength, before);
  const code = new Promise((resolve) => client.once("close", resolve));
  assert.equal(await code, 1001);
  await bridged.ended;
  await session.connection.closed;
});
