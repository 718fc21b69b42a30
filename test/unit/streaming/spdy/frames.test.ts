import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  controlFrame,
  createFrameParser,
  dataFrameHeader,
  FIN,
  type FrameHandler,
  SpdyProtocolError,
  words,
} from "../../../../src/streaming/spdy/frames.ts";
import { keptBytes } from "../../../support/spdy-memory.ts";
import { chunksOf, createRandom, hostileBytes } from "../../../support/spdy-random.ts";
import {
  controlBytes,
  createFrameReader,
  dataBytes,
  dataHeader,
  type Frame,
  uint32,
} from "../../../support/spdy-wire.ts";

/** What a parser said; parts of one payload joined, because where they are cut means nothing. */
interface Heard {
  readonly events: readonly string[];
  readonly handler: FrameHandler;
}

function listen(): Heard {
  const events: string[] = [];
  let open: { id: number; parts: Buffer[] } | undefined;
  const flush = (fin: boolean): void => {
    if (open) events.push(`data ${open.id} ${Buffer.concat(open.parts).toString("hex")}${fin ? " FIN" : ""}`);
    open = undefined;
  };
  return {
    get events() {
      flush(false);
      return events;
    },
    handler: {
      data(id, chunk, fin) {
        if (open?.id !== id) flush(false);
        open ??= { id, parts: [] };
        open.parts.push(chunk);
        if (fin) flush(true);
      },
      control(type, flags, payload) {
        flush(false);
        events.push(`control ${type} ${flags} ${payload.toString("hex")}`);
      },
    },
  };
}

function heardFrom(chunks: readonly Buffer[]): readonly string[] {
  const heard = listen();
  const parser = createFrameParser(heard.handler);
  for (const chunk of chunks) parser.push(chunk);
  return heard.events;
}

const anyPayload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.nat(0xff), flags: fc.nat(255), payload: anyPayload }, { noNullPrototype: true }),
  fc.record(
    { streamId: fc.nat(0x7fffffff), flags: fc.constantFrom(0, 1), payload: anyPayload },
    { noNullPrototype: true },
  ),
);
const bytesOf = (frame: Frame): Buffer =>
  "type" in frame
    ? controlBytes(frame.type, frame.payload, frame.flags)
    : dataBytes(frame.streamId, frame.payload, frame.flags);

/** What a handler must hear of frames, found without a parser. */
function expected(frames: readonly Frame[]): readonly string[] {
  const all = listen();
  for (const frame of frames) {
    if ("type" in frame) all.handler.control(frame.type, frame.flags, frame.payload);
    else all.handler.data(frame.streamId, frame.payload, (frame.flags & 1) !== 0);
  }
  return all.events;
}

test("any chunking of any frames parses to the same events", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), fc.nat(), (frames, seed) => {
      const bytes = Buffer.concat(frames.map(bytesOf));
      assert.deepEqual(heardFrom(chunksOf(createRandom(seed), bytes)), expected(frames));
    }),
    { numRuns: 1000 },
  );
});

test("frames byte by byte parse to the same events", () => {
  const frames: Frame[] = [
    { type: 2, flags: 0, payload: uint32(1) },
    { streamId: 1, flags: 0, payload: Buffer.from("some output") },
    { streamId: 1, flags: 1, payload: Buffer.alloc(0) },
    { streamId: 3, flags: 1, payload: Buffer.from("last words") },
    { type: 7, flags: 0, payload: uint32(3, 0) },
  ];
  const bytes = Buffer.concat(frames.map(bytesOf));
  assert.deepEqual(heardFrom([...bytes].map((byte) => Buffer.from([byte]))), expected(frames));
});

test("what the writers write, another implementation reads, and the parser too", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 8 }), (frames) => {
      const written = frames.map((frame) =>
        "type" in frame
          ? controlFrame(frame.type, frame.flags, frame.payload)
          : Buffer.concat([
              dataFrameHeader(frame.streamId, frame.payload.length, frame.flags),
              frame.payload,
            ]),
      );
      const read: Frame[] = [];
      createFrameReader((frame) => read.push(frame))(Buffer.concat(written));
      assert.deepEqual(read, frames);
      assert.deepEqual(heardFrom(written), expected(frames));
    }),
  );
});

test("words() writes what is above 31 bits too", () => {
  assert.deepEqual(words(1, 0xffffffff), uint32(1, 0xffffffff));
});

test("a payload is handed on as it comes, and FIN with its last part only", () => {
  const heard: [number, string, boolean][] = [];
  const parser = createFrameParser({
    data: (id, chunk, fin) => heard.push([id, chunk.toString(), fin]),
    control: () => assert.fail("no control frame was sent"),
  });
  parser.push(Buffer.concat([dataHeader(5, 6, FIN), Buffer.from("ab")]));
  parser.push(Buffer.from("cd"));
  parser.push(Buffer.from("ef"));
  assert.deepEqual(heard, [
    [5, "ab", false],
    [5, "cd", false],
    [5, "ef", true],
  ]);
});

test("a frame of another version is refused, and a control frame over 64 KiB", () => {
  for (const bytes of [
    Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]),
    Buffer.from([0xff, 0xff, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]),
    controlBytes(4, Buffer.alloc(64 * 1024 + 1)),
    Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n").fill(0x80, 0, 1),
  ]) {
    assert.throws(() => heardFrom([bytes]), SpdyProtocolError);
  }
  assert.equal(heardFrom([controlBytes(4, Buffer.alloc(64 * 1024))]).length, 1);
});

test("a data frame that announces 16 MiB and never comes keeps nothing", () => {
  let parts = 0;
  const parser = createFrameParser({ data: () => parts++, control: () => undefined });
  const before = keptBytes();
  parser.push(dataHeader(1, 0xffffff));
  const chunk = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < 0xffffff - chunk.length; sent += chunk.length) parser.push(chunk);
  assert.ok(parts > 200);
  assert.ok(keptBytes() - before < 1024 * 1024);
});

test("the largest control frame, byte by byte, takes no longer than its length deserves", () => {
  const bytes = controlBytes(4, Buffer.alloc(64 * 1024, 7));
  const begun = performance.now();
  const events = heardFrom([...bytes].map((byte) => Buffer.from([byte])));
  assert.equal(events.length, 1);
  assert.ok(performance.now() - begun < 1000, `${performance.now() - begun} ms`);
});

test("20,000 hostile byte strings give SpdyProtocolError or nothing, in bounded time and memory", (t) => {
  const random = createRandom();
  t.diagnostic(`seed ${random.seed}`);
  const before = keptBytes();
  const begun = performance.now();
  let refused = 0;
  for (let left = 20_000; left > 0; left--) {
    const parser = createFrameParser({ data: () => undefined, control: () => undefined });
    const bytes = hostileBytes(random);
    try {
      for (const chunk of chunksOf(random, bytes)) parser.push(chunk);
    } catch (error) {
      assert.ok(error instanceof SpdyProtocolError, `${String(error)} of ${bytes.toString("hex")}`);
      refused++;
    }
  }
  assert.ok(refused > 1000 && refused < 19_000, `${refused} refused`);
  assert.ok(performance.now() - begun < 10_000);
  assert.ok(keptBytes() - before < 64 * 1024 * 1024);
});
