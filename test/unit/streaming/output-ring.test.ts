import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputRing } from "../../../src/streaming/kept/output-ring.ts";

const text = (ring: OutputRing, from: number): string =>
  ring
    .from(from)
    .map(({ channel, bytes }) => `${channel}:${bytes}`)
    .join(" ");

test("OutputRing gives what was pushed, in order, from any position", () => {
  const ring = new OutputRing(1024);
  assert.deepEqual(ring.from(0), []);
  ring.push(1, Buffer.from("abc"));
  ring.push(1, Buffer.from("de"));
  ring.push(2, Buffer.from("fg"));
  ring.push(2, Buffer.alloc(0));
  ring.push(1, Buffer.from("h"));
  assert.equal(ring.end, 8);
  assert.equal(text(ring, 0), "1:abcde 2:fg 1:h");
  assert.equal(text(ring, 4), "1:e 2:fg 1:h");
  assert.equal(text(ring, 5), "2:fg 1:h");
  assert.equal(text(ring, 8), "");
});

test("OutputRing drops the oldest output, but none that must stay", () => {
  const ring = new OutputRing(256);
  for (let count = 0; count < 100; count++) ring.push(1, Buffer.alloc(10, count));
  assert.equal(ring.end, 1000);
  assert.ok(ring.start >= 1000 - 256 && ring.start < 1000 - 128, String(ring.start));
  const kept = ring.start;
  for (let count = 0; count < 100; count++) ring.push(1, Buffer.alloc(10), kept);
  assert.equal(ring.start, kept);
  ring.push(1, Buffer.alloc(5000, 7));
  assert.equal(ring.end, 7000);
  assert.ok(
    Buffer.concat(ring.from(0).map(({ bytes }) => bytes)).equals(Buffer.alloc(ring.end - ring.start, 7)),
  );
});

test("OutputRing takes bounded memory, however the output comes", () => {
  for (const [size, channels] of [
    [1, 2],
    [1, 1],
    [100_000, 2],
  ] as const) {
    const ring = new OutputRing(65_536);
    for (let count = 0; count < 20_000; count++) ring.push(1 + (count % channels), Buffer.alloc(size));
    assert.ok(ring.heldBytes <= 2 * 65_536, `${size}: ${ring.heldBytes}`);
    ring.shrink(16_384, Number.POSITIVE_INFINITY);
    assert.ok(ring.heldBytes <= 2 * 16_384, `${size}: ${ring.heldBytes} after shrinking`);
  }
});

test("OutputRing behaves as a list of bytes does, whatever is done with it", () => {
  for (let run = 0; run < 50; run++) {
    const maxBytes = 64 + Math.floor(Math.random() * 2000);
    const ring = new OutputRing(maxBytes);
    let all: (readonly [channel: number, byte: number])[] = [];
    let confirmed = 0;
    for (let step = 0; step < 200; step++) {
      const channel = 1 + Math.floor(Math.random() * 2);
      const bytes = Buffer.from(
        Array.from({ length: Math.floor(Math.random() * 200) }, () => Math.random() * 256),
      );
      const mayDrop = Math.random() < 0.5;
      ring.push(channel, bytes, mayDrop ? undefined : confirmed);
      all = [...all, ...[...bytes].map((byte) => [channel, byte] as const)];
      assert.equal(ring.end, all.length);
      if (!mayDrop) assert.ok(ring.start <= Math.max(confirmed, ring.start));
      if (mayDrop) confirmed = Math.max(confirmed, ring.start);
      assert.ok(ring.start <= confirmed || mayDrop);
      if (Math.random() < 0.2)
        confirmed = ring.start + Math.floor(Math.random() * (ring.end - ring.start + 1));
      const from = ring.start + Math.floor(Math.random() * (ring.end - ring.start + 1));
      const got = ring
        .from(from)
        .flatMap(({ channel: number, bytes: piece }) => [...piece].map((byte) => [number, byte]));
      assert.deepEqual(got, all.slice(from));
    }
  }
});
