import assert from "node:assert/strict";
import { test } from "node:test";
import { createBufferPool, OutputTooLarge } from "../../../src/wire/buffer-pool.ts";

test("take() answers at least what was asked for, and give() makes it available again", () => {
  const pool = createBufferPool();
  for (const size of [0, 1, 4096, 4097, 100_000, 1 << 20]) {
    const first = pool.take(size);
    assert.ok(first.length >= size);
    const memory = first.buffer;
    pool.give(first);
    const second = pool.take(size);
    assert.equal(second.buffer, memory);
    pool.give(second);
  }
});

test("two takes never share memory", () => {
  const pool = createBufferPool();
  const taken = Array.from({ length: 8 }, () => pool.take(5000));
  assert.equal(new Set(taken.map(({ buffer }) => buffer)).size, 8);
  assert.equal(pool.taken, 8);
  for (const buffer of taken) pool.give(buffer);
  assert.equal(pool.taken, 0);
});

test("give() throws for a buffer that was given back, also when its memory serves somebody else by now", () => {
  const pool = createBufferPool();
  const mine = pool.take(10);
  pool.give(mine);
  assert.throws(() => pool.give(mine), TypeError);
  const theirs = pool.take(10);
  assert.equal(theirs.buffer, mine.buffer);
  assert.throws(() => pool.give(mine), TypeError);
  pool.give(theirs);
  assert.equal(pool.taken, 0);
});

test("give() throws for a part of a buffer, and for a stranger", () => {
  const pool = createBufferPool();
  assert.throws(() => pool.give(pool.take(10).subarray(0, 5)), TypeError);
  assert.throws(() => pool.give(Buffer.alloc(4096)), TypeError);
});

test("idle memory stays below maxBytes", () => {
  const pool = createBufferPool({ maxBytes: 10_000 });
  const taken = Array.from({ length: 8 }, () => pool.take(4096));
  for (const buffer of taken) pool.give(buffer);
  assert.equal(pool.idleBytes, 8192);
  pool.give(pool.take(1 << 20));
  assert.equal(pool.idleBytes, 8192);
});

test("take() refuses more than maxBufferBytes, and answers exactly that much", () => {
  const pool = createBufferPool({ maxBufferBytes: 5000 });
  assert.equal(pool.take(5000).length, 5000);
  assert.throws(() => pool.take(5001), OutputTooLarge);
});
