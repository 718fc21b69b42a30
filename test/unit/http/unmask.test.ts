import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { takeBack, websocketMask, websocketUnmask } from "../../../src/http/unmask.ts";

const masks = [Buffer.of(1, 2, 3, 4), Buffer.of(0xff, 0, 0x80, 0x7f), Buffer.alloc(4), randomBytes(4)];

/** As RFC 6455, 5.3, has it. */
function masked(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
}

/** Lengths on both sides of where words begin to be used, at every place of a word. */
function* pieces(): Generator<{ readonly length: number; readonly at: number }> {
  const lengths = [0, 1, 2, 3, 4, 5, 23, 24, 125, 126, 127, 128, 129, 130, 131, 132, 133, 1000, 65_537];
  for (const length of lengths) for (const at of [0, 1, 2, 3, 4, 7]) yield { length, at };
}

test("every byte is unmasked, wherever it lies, and none beside them", () => {
  for (const mask of masks) {
    for (const { length, at } of pieces()) {
      const whole = randomBytes(at + length + 9);
      const before = Buffer.from(whole);
      websocketUnmask(whole.subarray(at, at + length), mask);
      const wanted = Buffer.concat([
        before.subarray(0, at),
        masked(before.subarray(at, at + length), mask),
        before.subarray(at + length),
      ]);
      assert.ok(whole.equals(wanted), `${length} bytes at ${at}`);
    }
  }
});

test("what is masked is written where it is to be, and unmasked is what it was", () => {
  for (const { length, at } of pieces()) {
    const source = randomBytes(length + 2);
    const before = Buffer.from(source);
    const output = Buffer.alloc(at + length + 1);
    const mask = randomBytes(4);
    websocketMask(source, mask, output, at, length);
    assert.ok(source.equals(before));
    assert.ok(output.subarray(at, at + length).equals(masked(source.subarray(0, length), mask)));
    assert.equal(output.at(-1), 0);
    websocketUnmask(output.subarray(at, at + length), mask);
    assert.ok(output.subarray(at, at + length).equals(source.subarray(0, length)));
  }
});

test("Node's module has the functions until they are taken back, unless they are Node's own", () => {
  const found = Reflect.get(http, "websocketUnmask");
  takeBack();
  const isLent = found === websocketUnmask;
  assert.equal(Reflect.get(http, "websocketUnmask"), isLent ? undefined : found);
});
