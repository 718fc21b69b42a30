import assert from "node:assert/strict";
import { test } from "node:test";
import {
  writeDouble,
  writeInt32,
  writeInt64,
  writeUint32,
  writeUint64,
} from "../../../src/wire/json-number.ts";
import { createDice, seed } from "../gen/dice.ts";

const output = Buffer.alloc(64);
const view = new DataView(output.buffer, output.byteOffset, output.length);

function written(write: (d: DataView, w: number) => number): string {
  return output.toString("latin1", 0, write(view, 0));
}

function check(value: bigint): void {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  assert.equal(
    written((d, w) => writeInt64(low, high, d, w)),
    String(BigInt.asIntN(64, value)),
  );
  assert.equal(
    written((d, w) => writeUint64(low, high, d, w)),
    String(BigInt.asUintN(64, value)),
  );
  assert.equal(
    written((d, w) => writeInt32(low, d, w)),
    String(low),
  );
  assert.equal(
    written((d, w) => writeUint32(low, d, w)),
    String(low >>> 0),
  );
}

test("64-bit integers come out exactly around every power of two and of ten", () => {
  for (let bits = 0n; bits <= 64n; bits++) for (let i = -2n; i <= 2n; i++) check((1n << bits) + i);
  for (let digits = 0n; digits < 20n; digits++) for (let i = -2n; i <= 2n; i++) check(10n ** digits + i);
});

test(`64-bit integers come out exactly at random (seed ${seed})`, () => {
  const dice = createDice(seed);
  for (let i = 0; i < 50_000; i++) {
    const any = (BigInt(dice.roll(2 ** 32)) << 32n) | BigInt(dice.roll(2 ** 32));
    check(any >> BigInt(dice.roll(64)));
    // Quotients and remainders near their limits.
    check(
      (BigInt(dice.roll(2 ** 31)) * 1_000_000_000n + BigInt(dice.roll(3)) - 1n) * BigInt(1 + dice.roll(8)),
    );
  }
});

test("doubles come out as JSON.stringify writes them, or as proto3's strings", () => {
  const cases: readonly [number, string][] = [
    [0.1, "0.1"],
    [-0, "0"],
    [1e21, "1e+21"],
    [5e-324, "5e-324"],
    [Number.NaN, '"NaN"'],
    [Number.POSITIVE_INFINITY, '"Infinity"'],
    [Number.NEGATIVE_INFINITY, '"-Infinity"'],
  ];
  for (const [value, text] of cases)
    assert.equal(
      written((d, w) => writeDouble(value, d, w)),
      text,
    );
});
