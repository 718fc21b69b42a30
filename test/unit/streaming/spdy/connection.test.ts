import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex, type Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { createSpdyConnection } from "../../../../src/streaming/spdy/connection.ts";
import { SpdyProtocolError } from "../../../../src/streaming/spdy/frames.ts";
import { eventually } from "../../../support/eventually.ts";
import { keptBytes, stillValue } from "../../../support/spdy-memory.ts";
import { chunksOf, createRandom, hostileBytes } from "../../../support/spdy-random.ts";
import { createServerSession } from "../../../support/spdy-session.ts";
import { socketPair } from "../../../support/spdy-sockets.ts";
import {
  controlBytes,
  createFrameReader,
  dataBytes,
  dataHeader,
  type Frame,
  frameTypes,
  uint32,
} from "../../../support/spdy-wire.ts";

const mebibyte = 1024 * 1024;

/** A connection and the server's side of it. */
async function connected(t: TestContext) {
  const [client, server] = await socketPair(t);
  const connection = createSpdyConnection(client);
  const session = createServerSession({
    socket: server,
    head: Buffer.alloc(0),
    path: "",
    requestHeaders: {},
  });
  return { connection, session, client, server };
}

/** The next stream, and what the server has of it. */
async function openStream(
  { connection, session }: Awaited<ReturnType<typeof connected>>,
  streamtype: string,
) {
  const ours = connection.createStream({ streamtype });
  return { ours, theirs: await session.stream(streamtype) };
}

/** All that a stream gives until its end. Unlike a loop over it, this leaves its other half alone. */
function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("end", () => resolve(Buffer.concat(chunks)));
  });
}

const ended = async (stream: Readable): Promise<string> => (await bytesOf(stream)).toString();

test("a stream carries bytes both ways and ends each half by itself", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "data");
  ours.write("up");
  await theirs.write("down");
  theirs.end();
  assert.equal(await ended(ours), "down");
  ours.end(" and up again");
  assert.equal(await ended(theirs.input), "up and up again");
  assert.equal(ours.complete, true);
  assert.equal(theirs.resetStatus, undefined);
  assert.equal(pair.session.failure, undefined);
});

test("streams get odd ids in the order of their opening, and headers that zlib reads", async (t) => {
  const { connection, session } = await connected(t);
  for (const streamtype of ["error", "stdin", "stdout"]) connection.createStream({ streamtype, port: "80" });
  await session.stream("stdout");
  assert.deepEqual(
    session.streams.map(({ id, headers }) => [id, headers]),
    [
      [1, { streamtype: "error", port: "80" }],
      [3, { streamtype: "stdin", port: "80" }],
      [5, { streamtype: "stdout", port: "80" }],
    ],
  );
});

test("writes of 16 MiB and more arrive whole, in frames that leave room for others", async (t) => {
  const [client, server] = await socketPair(t);
  const connection = createSpdyConnection(client);
  const largest = new Map<number, number>();
  const sums = new Map<number, number>();
  const read = createFrameReader((frame: Frame) => {
    if (!("streamId" in frame)) return;
    const { streamId: id, payload } = frame;
    largest.set(id, Math.max(largest.get(id) ?? 0, payload.length));
    sums.set(id, (sums.get(id) ?? 0) + payload.length);
    assert.ok(payload.equals(Buffer.alloc(payload.length, id)));
  });
  server.on("data", read);
  const [first, second] = [connection.createStream({}), connection.createStream({})];
  const sizes = [16 * mebibyte, 16 * mebibyte + 1, 20 * mebibyte - 7] as const;
  for (const size of sizes) first.write(Buffer.alloc(size, 1));
  second.write(Buffer.alloc(3 * mebibyte, 3));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  await eventually(() => sums.get(1) === total && sums.get(3) === 3 * mebibyte, { timeoutMs: 10_000 });
  for (const length of largest.values()) assert.ok(length <= 64 * 1024, `${length}`);
});

test("a writer is held while the peer does not read, and goes on when it does", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "stdin");
  theirs.input.resume();
  pair.session.stopReading();
  const chunk = Buffer.alloc(64 * 1024);
  let sent = 0;
  while (ours.writableLength < 256 * 1024) {
    const taken = ours.write(chunk);
    sent += chunk.length;
    // As long as the kernel takes it, a writer that waits for drain goes on.
    if (!taken)
      await Promise.race([once(ours, "drain"), eventually(() => ours.writableLength >= 256 * 1024)]);
    assert.ok(sent < 64 * mebibyte, "nothing held the writer");
  }
  assert.ok(pair.client.writableLength < mebibyte, `${pair.client.writableLength} bytes wait in the socket`);
  const drained = once(ours, "drain");
  pair.session.readAgain();
  await drained;
  await eventually(() => theirs.receivedBytes === sent);
});

test("every write's callback is called when the connection ends, without an error that nobody hears", async (t) => {
  const pair = await connected(t);
  const { ours } = await openStream(pair, "stdin");
  pair.session.stopReading();
  let called = 0;
  const writes = 400;
  for (let left = writes; left > 0; left--) ours.write(Buffer.alloc(64 * 1024), () => called++);
  assert.equal(ours.writableNeedDrain, true);
  pair.session.drop();
  await pair.connection.closed;
  await eventually(() => called === writes);
  ours.write("after the end", () => called++);
  await eventually(() => called === writes + 1);
});

test("a stream that is not read stops the whole connection, with little kept", async (t) => {
  const pair = await connected(t);
  const [slow, other] = [await openStream(pair, "stdout"), await openStream(pair, "stderr")];
  const chunk = Buffer.alloc(64 * 1024);
  let written = 0;
  const before = keptBytes();
  void (async () => {
    while (!pair.session.isClosed) {
      await slow.theirs.write(chunk);
      written += chunk.length;
    }
  })();
  await eventually(() => pair.client.isPaused());
  // The kernel's own buffers fill up; then nothing goes any more.
  const last = await stillValue(() => written);
  assert.ok(written < 32 * mebibyte, `${written} bytes were taken`);
  assert.ok(slow.ours.readableLength <= 256 * 1024, `${slow.ours.readableLength} bytes are kept`);
  // The writer never ends; what this process holds besides, its own garbage included, is less than that.
  assert.ok(keptBytes() - before < 48 * mebibyte);

  void other.theirs.write("behind all that");
  slow.ours.resume();
  const [said] = (await once(other.ours, "data")) as [Buffer];
  assert.equal(said.toString(), "behind all that");
  assert.ok(written > last);
});

test("a full stream that has ended holds the others only until it is read", async (t) => {
  const pair = await connected(t);
  const [output, error] = [await openStream(pair, "stdout"), await openStream(pair, "error")];
  const status = ended(error.ours);
  // In one piece: the end comes while the stream is full.
  await pair.session.send(
    Buffer.concat([
      dataBytes(output.theirs.id, Buffer.alloc(60_000)),
      dataBytes(output.theirs.id, Buffer.alloc(0), 1),
    ]),
  );
  await eventually(() => pair.client.isPaused());
  await error.theirs.write("the status");
  error.theirs.end();
  assert.equal((await bytesOf(output.ours)).length, 60_000);
  assert.equal(await status, "the status");
});

test("a full stream that is given up holds the others no longer", async (t) => {
  const pair = await connected(t);
  const [given, other] = [await openStream(pair, "stdout"), await openStream(pair, "stderr")];
  await given.theirs.write(Buffer.alloc(512 * 1024));
  await eventually(() => pair.client.isPaused());
  void other.theirs.write("said");
  given.ours.destroy();
  const [said] = (await once(other.ours, "data")) as [Buffer];
  assert.equal(said.toString(), "said");
  await eventually(() => given.theirs.resetStatus === 5);
});

test("a stream that has ended on both sides is not reset", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "data");
  ours.end();
  theirs.end();
  await ended(ours);
  await eventually(() => ours.closed);
  await pair.connection.ping();
  assert.equal(theirs.resetStatus, undefined);
  assert.equal(theirs.inputEnded, true);
});

test("data after FIN, after RST and on streams that are not there is passed over", async (t) => {
  const pair = await connected(t);
  const [first, second, third] = [
    await openStream(pair, "first"),
    await openStream(pair, "second"),
    await openStream(pair, "third"),
  ];
  const { id } = first.theirs;
  await pair.session.send(
    Buffer.concat([
      dataBytes(id, Buffer.from("said"), 1),
      dataBytes(id, Buffer.from("too late")),
      dataBytes(id, Buffer.alloc(0), 1),
      dataBytes(second.theirs.id, Buffer.from("half")),
      controlBytes(frameTypes.rstStream, uint32(second.theirs.id, 5)),
      dataBytes(second.theirs.id, Buffer.from("too late")),
      controlBytes(frameTypes.rstStream, uint32(second.theirs.id, 5)),
      dataBytes(99, Buffer.from("whose?"), 1),
      dataBytes(0, Buffer.from("whose?")),
      dataBytes(2, Buffer.from("whose?")),
      controlBytes(frameTypes.rstStream, uint32(77, 1)),
      controlBytes(frameTypes.synReply, Buffer.concat([uint32(55), Buffer.from([1, 2, 3])]), 1),
      // SETTINGS, HEADERS, WINDOW_UPDATE, and types that do not exist.
      ...[4, 8, 9, 5, 10, 255].map((type) => controlBytes(type, uint32(1, 2))),
      dataBytes(third.theirs.id, Buffer.from("goes on"), 1),
    ]),
  );
  assert.equal(await ended(third.ours), "goes on");
  assert.equal(await ended(first.ours), "said");
  assert.equal(await ended(second.ours), "half");
  await pair.connection.ping();
});

test("a reset ends both halves, keeps what has come, and writing to it is no error", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "data");
  await theirs.write("before the reset");
  theirs.reset();
  await eventually(() => ours.writableEnded);
  let called = 0;
  ours.on("error", () => assert.fail("the reset is not an error"));
  assert.equal(await ended(ours), "before the reset");
  assert.equal(ours.complete, true);
  const other = await openStream(pair, "other");
  other.ours.write("x", () => called++);
  await eventually(() => called === 1 && other.theirs.receivedBytes === 1);
});

test("SYN_REPLY with FIN ends the peer's half", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "stdin");
  await pair.session.send(controlBytes(frameTypes.synReply, uint32(theirs.id), 1));
  assert.equal(await ended(ours), "");
  ours.end("our half goes on");
  assert.equal(await ended(theirs.input), "our half goes on");
});

test("ping() settles when the peer has answered, and pings of the peer are answered", async (t) => {
  const { connection, session } = await connected(t);
  await Promise.all([connection.ping(), connection.ping(), session.ping(2), session.ping(0x7ffffffe)]);
  await session.ping(0);
  const pings = session.controls.filter(({ type }) => type === frameTypes.ping);
  assert.deepEqual(
    pings.map(({ payload }) => payload.readUInt32BE(0)).sort((a, b) => a - b),
    [0, 1, 2, 3, 0x7ffffffe],
  );
});

test("an answer to a ping that was never sent is passed over", async (t) => {
  const { connection, session } = await connected(t);
  await session.send(controlBytes(frameTypes.ping, uint32(1)));
  await session.send(controlBytes(frameTypes.ping, uint32(12_345)));
  await connection.ping();
});

test("ping() rejects after a hundred without an answer, and all of them when the connection ends", async (t) => {
  const { connection, session } = await connected(t);
  session.stopReading();
  const pings = Array.from({ length: 100 }, () => connection.ping());
  const outcomes = Promise.allSettled(pings);
  await assert.rejects(connection.ping(), /too many pings/);
  session.drop();
  assert.deepEqual(new Set((await outcomes).map(({ status }) => status)), new Set(["rejected"]));
  await assert.rejects(connection.ping(), /has ended/);
});

test("nothing is pinged while a stream is full", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "stdout");
  await theirs.write(Buffer.alloc(512 * 1024));
  await eventually(() => pair.client.isPaused());
  await assert.rejects(pair.connection.ping(), /not being read/);
  ours.resume();
  await eventually(() => pair.connection.ping().then(() => true));
});

test("a stream that the peer opens is refused", async (t) => {
  const { session } = await connected(t);
  await session.send(controlBytes(frameTypes.synStream, Buffer.concat([uint32(2, 0), Buffer.alloc(20)])));
  await eventually(() => session.controls.length === 1);
  const [frame] = session.controls;
  assert.equal(frame?.type, frameTypes.rstStream);
  assert.deepEqual(frame?.payload, uint32(2, 3));
});

test("a peer that asks for answers and never reads them is cut off", async () => {
  for (const frame of [
    controlBytes(frameTypes.ping, uint32(2)),
    controlBytes(frameTypes.synStream, Buffer.concat([uint32(2, 0), Buffer.alloc(10)])),
  ]) {
    // Its kernel takes nothing any more: a write never ends.
    const socket = new Duplex({ read() {}, write() {} });
    const { closed } = createSpdyConnection(socket);
    const flood = Buffer.concat(Array.from({ length: 2000 }, () => frame));
    let most = 0;
    for (let asked = 0; asked < 200_000 && !socket.destroyed; asked += 2000) {
      socket.push(flood);
      await new Promise(setImmediate);
      most = Math.max(most, socket.writableLength);
    }
    assert.ok((await closed) instanceof SpdyProtocolError);
    assert.ok(most > 0 && most < 2 * mebibyte, `${most} bytes of answers waited`);
  }
});

test("closed tells an end in order from a failure, and goneAway what the peer said before", async (t) => {
  const orderly = await connected(t);
  orderly.session.goAway();
  orderly.session.close();
  assert.equal(await orderly.connection.closed, undefined);
  assert.equal(orderly.connection.goneAway, true);

  const sudden = await connected(t);
  sudden.session.close();
  assert.equal(await sudden.connection.closed, undefined);
  assert.equal(sudden.connection.goneAway, false);

  const ours = await connected(t);
  ours.connection.destroy();
  assert.equal(await ours.connection.closed, undefined);
  await ours.session.closed;

  const reset = await connected(t);
  reset.server.resetAndDestroy();
  assert.match(String(await reset.connection.closed), /ECONNRESET/);

  const broken = await connected(t);
  await broken.session.send(Buffer.from([0x80, 9, 0, 0, 0, 0, 0, 0]));
  assert.ok((await broken.connection.closed) instanceof SpdyProtocolError);
  assert.equal(broken.client.destroyed, true);
});

test("destroySoon() drops the connection when all that was written has left, half-closed or not", async (t) => {
  for (const end of [false, true]) {
    const pair = await connected(t);
    const { ours, theirs } = await openStream(pair, "stdin");
    pair.session.stopReading();
    const bytes = 16 * mebibyte;
    ours.write(Buffer.alloc(bytes));
    await stillValue(() => pair.client.bytesWritten - pair.client.writableLength);
    assert.ok(pair.client.writableLength > 0);
    ours.write("last words");
    if (end) ours.end();
    const dropped = pair.connection.destroySoon(60_000);
    theirs.input.resume();
    pair.session.readAgain();
    await dropped;
    await pair.session.closed;
    assert.equal(theirs.receivedBytes, bytes + "last words".length);
    assert.deepEqual(pair.session.controls, []);
  }
});

test("destroySoon() does not wait for a peer that takes nothing, nor when all is over", async (t) => {
  const pair = await connected(t);
  const { ours } = await openStream(pair, "stdin");
  pair.session.stopReading();
  ours.write(Buffer.alloc(32 * mebibyte));
  await pair.connection.destroySoon(50);
  await pair.connection.closed;
  await pair.connection.destroySoon(60_000);
});

test("what has come stays readable after the end, also beside writes that were waiting", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "data");
  pair.session.stopReading();
  await theirs.write("an answer, early");
  await eventually(() => ours.readableLength > 0);
  for (let left = 200; left > 0; left--) ours.write(Buffer.alloc(64 * 1024));
  pair.session.drop();
  await pair.connection.closed;
  assert.equal(await ended(ours), "an answer, early");
  assert.equal(ours.complete, false);
});

test("bytes that come in the same read as the end are not lost", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "stdout");
  void pair.session.send(dataBytes(theirs.id, Buffer.alloc(200_000, "y")));
  pair.session.close();
  assert.equal((await bytesOf(ours)).length, 200_000);
});

test("no bytes of a server can crash the process or leave a session open", async (t) => {
  const random = createRandom();
  t.diagnostic(`seed ${random.seed}`);
  const crashes: unknown[] = [];
  const note = (error: unknown): void => void crashes.push(error);
  process.on("uncaughtException", note).on("unhandledRejection", note);
  t.after(() => process.off("uncaughtException", note).off("unhandledRejection", note));
  for (let left = 200; left > 0; left--) {
    const [client, server] = await socketPair(t);
    const connection = createSpdyConnection(client);
    const streams = ["error", "stdin", "stdout"].map((streamtype) => connection.createStream({ streamtype }));
    streams[0]?.resume();
    streams[1]?.write("typed");
    if (random.below(2) === 0) streams[2]?.resume();
    server.resume();
    for (const chunk of chunksOf(random, hostileBytes(random))) server.write(chunk);
    if (random.below(3) === 0) server.resetAndDestroy();
    else server.end();
    connection.ping().catch(() => undefined);
    streams[1]?.end("and more");
    // Whoever holds a full stream reads it in the end, or gives it up.
    for (const stream of streams) stream.resume();
    await connection.closed;
    client.destroy();
  }
  assert.deepEqual(crashes, []);
});

test("5,000 hostile byte strings end a connection with SpdyProtocolError or nothing, whatever is open", async (t) => {
  const random = createRandom();
  t.diagnostic(`seed ${random.seed}`);
  for (let left = 5000; left > 0; left--) {
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        done();
      },
    });
    const connection = createSpdyConnection(socket);
    const streams = ["error", "data"].map((streamtype) => connection.createStream({ streamtype }));
    for (const stream of streams) stream.resume();
    for (const chunk of chunksOf(random, hostileBytes(random))) socket.push(chunk);
    socket.push(null);
    const why = await connection.closed;
    assert.ok(why === undefined || why instanceof SpdyProtocolError, String(why));
    for (const stream of streams) assert.equal(stream.writableEnded, true);
  }
});

test("a length that lies is waited for, and the connection's end ends the stream", async (t) => {
  const pair = await connected(t);
  const { ours, theirs } = await openStream(pair, "stdout");
  await pair.session.send(Buffer.concat([dataHeader(theirs.id, 0xffffff, 1), Buffer.from("all of it")]));
  pair.session.close();
  assert.equal(await ended(ours), "all of it");
  assert.equal(ours.complete, false);
});
