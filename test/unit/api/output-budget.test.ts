import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutputBudget, requestBytes, writeWithin } from "../../../src/api/output-budget.ts";
import { CallCancelled } from "../../../src/cri/channel.ts";
import { GatewayError } from "../../../src/errors.ts";

const mebibyte = 1024 * 1024;
const isError = (code: string) => (error: unknown) => error instanceof GatewayError && error.code === code;
const overloaded = isError("overloaded");

test("reserve() refuses a caller that has half of the budget, and no other caller", () => {
  const budget = createOutputBudget(8 * mebibyte);
  const first = budget.reserve("a", 3 * mebibyte);
  budget.reserve("a", mebibyte);
  assert.throws(() => budget.reserve("a", 1), overloaded);
  budget.reserve("b", 4 * mebibyte);
  assert.throws(() => budget.reserve("c", 1), overloaded);
  first.release();
  assert.equal(budget.heldBytes, 5 * mebibyte);
  budget.reserve("a", 3 * mebibyte);
});

test("a refusal says how much waits and what the limit is, and when to come again", () => {
  const budget = createOutputBudget(8 * mebibyte);
  budget.reserve("a", 4 * mebibyte);
  assert.throws(
    () => budget.reserve("a", 1),
    ({ message, headers, status }: GatewayError) =>
      /answers use 4 MiB of memory.*4 MiB for each caller.*--max-buffer/.test(message) &&
      headers["retry-after"] === "1" &&
      status === 503,
  );
});

test("resize() counts the difference, and after a refusal the reservation is as before", () => {
  const budget = createOutputBudget(8 * mebibyte);
  const one = budget.reserve("a", mebibyte);
  const other = budget.reserve("a", mebibyte);
  other.resize(3 * mebibyte);
  assert.throws(() => one.resize(2 * mebibyte), overloaded);
  assert.equal(budget.heldBytes, 4 * mebibyte);
  other.resize(0);
  one.resize(4 * mebibyte);
  assert.equal(budget.heldBytes, 4 * mebibyte);
});

test("resize() to more than a caller may ever have says so: trying again would not help", () => {
  const room = createOutputBudget(8 * mebibyte).reserve("a", 1);
  assert.throws(() => room.resize(4 * mebibyte + 1), isError("reply_too_large"));
});

test("force() goes over the limits, and then others are refused", () => {
  const budget = createOutputBudget(8 * mebibyte);
  const room = budget.reserve("a", 1);
  room.force(16 * mebibyte);
  assert.throws(() => budget.reserve("a", 1), overloaded);
  assert.throws(() => budget.reserve("b", 1), overloaded);
  room.force(mebibyte);
  budget.reserve("b", mebibyte);
});

test("release() counts once, and what comes later does not count", () => {
  const budget = createOutputBudget(8 * mebibyte);
  const room = budget.reserve("a", mebibyte);
  budget.reserve("a", 2 * mebibyte);
  for (let left = 3; left > 0; left--) room.release();
  room.force(mebibyte);
  assert.equal(budget.heldBytes, 2 * mebibyte);
});

const forever = { waitMs: 60_000, onCancel: () => undefined };

test("expect() waits for room, first come, first served for each caller", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const rooms = [budget.reserve("a", 2 * mebibyte), budget.reserve("a", 2 * mebibyte)];
  const served: string[] = [];
  const ask = async (caller: string, name: string) => {
    const room = await budget.expect(caller, 2 * mebibyte, forever);
    served.push(name);
    return room;
  };
  const asked = [ask("a", "first"), ask("a", "second"), ask("b", "of another"), ask("a", "third")];
  await asked[2];
  assert.deepEqual(served, ["of another"]);
  rooms[0]?.release();
  const first = await asked[0];
  rooms[1]?.resize(0);
  await asked[1];
  assert.deepEqual(served, ["of another", "first", "second"]);
  first?.force(mebibyte);
  assert.equal(budget.heldBytes, mebibyte);
  first?.release();
  await asked[3];
});

test("what is expected takes no room from answers that are there, and counts once it is there", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const rooms = [
    await budget.expect("a", 2 * mebibyte, forever),
    await budget.expect("a", 2 * mebibyte, forever),
  ];
  assert.equal(budget.heldBytes, 0);
  const other = budget.reserve("a", 4 * mebibyte);
  other.resize(mebibyte);
  rooms[0]?.force(3 * mebibyte);
  assert.throws(() => budget.reserve("a", 1), overloaded);
  rooms[0]?.release();
  for (let left = 2; left > 0; left--) rooms[1]?.release();
  assert.equal(budget.heldBytes, mebibyte);
  await budget.expect("a", 3 * mebibyte, forever);
});

test("expect() refuses when there was no room in time", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const room = budget.reserve("a", 4 * mebibyte);
  await assert.rejects(budget.expect("a", 1, { ...forever, waitMs: 1 }), overloaded);
  room.release();
  assert.equal(budget.heldBytes, 0, "nothing was reserved for what was refused");
});

test("expect() reserves nothing for a client that has left", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const room = budget.reserve("a", 4 * mebibyte);
  let leave = (): void => undefined;
  const left = budget.expect("a", 1, {
    waitMs: 60_000,
    onCancel: (cancel) => {
      leave = cancel;
    },
  });
  await new Promise((resolve) => setImmediate(resolve));
  leave();
  await assert.rejects(left, CallCancelled);
  room.release();
  assert.equal(budget.heldBytes, 0);
});

/** Text of a size, and how often it was released. */
function text(heldBytes: number) {
  let released = 0;
  return {
    written: { bytes: Buffer.alloc(1), heldBytes, release: () => void released++ },
    released: () => released,
  };
}

test("writeWithin() counts what was written until it is released", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const { written, released } = text(mebibyte);
  const { bytes, release } = await writeWithin(budget, "a", async () => {
    assert.equal(budget.heldBytes, requestBytes);
    return written;
  });
  assert.equal(bytes, written.bytes);
  assert.equal(budget.heldBytes, mebibyte);
  release();
  assert.equal(budget.heldBytes, 0);
  assert.equal(released(), 1);
});

test("writeWithin() writes nothing where there is no room, and releases what found none", async () => {
  const budget = createOutputBudget(8 * mebibyte);
  const other = budget.reserve("a", 4 * mebibyte);
  await assert.rejects(
    writeWithin(budget, "a", () => assert.fail("it was called")),
    overloaded,
  );
  other.resize(3.5 * mebibyte);
  const { written, released } = text(mebibyte);
  await assert.rejects(
    writeWithin(budget, "a", async () => written),
    overloaded,
  );
  assert.equal(released(), 1);
  const failure = new Error("the runtime failed");
  await assert.rejects(
    writeWithin(budget, "a", async () => Promise.reject(failure)),
    failure,
  );
  assert.equal(budget.heldBytes, 3.5 * mebibyte);
});
