import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { unmask } from "../../../src/streaming/unmask.ts";

test("unmask() unmasks every byte, wherever it lies in memory and in its frame, and none beside", () => {
  const key = Buffer.of(0xff, 0x01, 0x80, 0x7e);
  for (const length of [0, 1, 3, 4, 127, 128, 129, 130, 131, 1000, 65_537]) {
    for (const at of [0, 1, 2, 3, 4, 7]) {
      for (const offset of [0, 1, 2, 3, 65_535]) {
        const whole = randomBytes(at + length + 9);
        const wanted = Buffer.from(whole);
        for (let index = 0; index < length; index++) {
          wanted.writeUInt8(whole.readUInt8(at + index) ^ key.readUInt8((offset + index) % 4), at + index);
        }
        unmask(whole.subarray(at, at + length), key, offset);
        assert.ok(whole.equals(wanted), `${length} bytes at ${at}, ${offset} in the frame`);
      }
    }
  }
});
