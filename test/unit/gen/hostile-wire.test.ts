import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { descriptors } from "../../../src/gen/descriptors.ts";
import type { MessageName } from "../../../src/gen/messages.ts";
import { writers } from "../../../src/gen/writers.ts";
import { createBufferPool, OutputTooLarge } from "../../../src/wire/buffer-pool.ts";
import { canonicalize } from "../../../src/wire/canonicalize.ts";
import { parseJson } from "../../../src/wire/parse-json.ts";
import { Malformed } from "../../../src/wire/read.ts";
import { writeJson } from "../../../src/wire/write-json.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { createDice, type Dice, seed } from "./dice.ts";
import { jsonOf } from "./random.ts";
import { proto, referenceBytes } from "./reference.ts";
import { scramble } from "./scramble.ts";

const INPUTS = randomRuns(100_000);
const LIMIT = 1024 * 1024;

const pool = createBufferPool({ maxBufferBytes: LIMIT });

/** The JSON text, "malformed" or "too large"; any other error goes through. */
function outcome(name: MessageName, wire: Uint8Array): string {
  try {
    const { bytes, release } = writeJson(writers[name], wire, pool);
    const text = isUtf8(bytes) ? bytes.toString("utf8") : "not UTF-8";
    release();
    return text;
  } catch (error) {
    if (error instanceof Malformed) return "malformed";
    if (error instanceof OutputTooLarge) return "too large";
    throw error;
  }
}

function canonicalOutcome(name: MessageName, wire: Uint8Array): string {
  try {
    return outcome(name, canonicalize(wire, name, descriptors));
  } catch (error) {
    if (error instanceof Malformed) return "malformed";
    throw error;
  }
}

/** Lengths, numbers and tags that lie. */
const lies = [
  "ffffffff0f",
  "ffffffffffffffffff01",
  "ffffffffffffffffffff01",
  "80",
  "8080808000",
  "7f",
  "0b",
  "0c",
  "00",
  "f8ffffff0f",
].map((hex) => Buffer.from(hex, "hex"));

function mutate(wire: Buffer, dice: Dice): Buffer {
  let bytes = wire;
  for (let i = dice.roll(4); i >= 0; i--) {
    const at = dice.roll(bytes.length + 1);
    const [head, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (dice.roll(7)) {
      case 0:
        bytes = Buffer.concat([head, Buffer.from([dice.roll(256)]), rest.subarray(1)]);
        break;
      case 1:
        bytes = head;
        break;
      case 2:
        bytes = Buffer.concat([head, dice.pick(lies), rest.subarray(dice.roll(3))]);
        break;
      case 3:
        bytes = Buffer.concat([head, rest.subarray(1 + dice.roll(4))]);
        break;
      case 4:
        bytes = Buffer.concat([head, rest.subarray(0, 20), rest]);
        break;
      case 5:
        bytes = Buffer.concat([rest, head]);
        break;
      default:
        bytes = Buffer.concat([head, Buffer.from([dice.roll(256), dice.roll(256), dice.roll(256)]), rest]);
    }
  }
  return bytes.subarray(0, 4096);
}

test(`${INPUTS} mutated messages are valid JSON or Malformed, the same with neighbours in memory (seed ${seed})`, () => {
  const dice = createDice(seed);
  // Messages with more in them are more to get wrong.
  const larger = proto.messages.filter(({ fields }) => fields.length > 2);
  const samples = [...proto.messages, ...larger, ...larger].flatMap((message) =>
    fc.sample(jsonOf(message), { seed, numRuns: 6 }).map((json) => {
      const wire = referenceBytes(message.name, json);
      return {
        name: message.name as MessageName,
        wire: dice.oneIn(4) ? scramble(message, wire, dice) : wire,
      };
    }),
  );
  const counts = { json: 0, malformed: 0, tooLarge: 0 };
  for (let i = 0; i < INPUTS; i++) {
    const { name, wire } = dice.pick(samples);
    const hostile = mutate(wire, dice);
    const where = `input ${i}, seed ${seed}, ${name}: ${hostile.toString("hex")}`;
    const text = outcome(name, hostile);
    if (text === "malformed") counts.malformed++;
    else if (text === "too large") counts.tooLarge++;
    else {
      counts.json++;
      // Strictly: no name twice either.
      assert.doesNotThrow(() => (i % 8 === 0 ? parseJson(Buffer.from(text)) : JSON.parse(text)), where);
    }
    // What stands before and behind must not matter.
    const memory = Buffer.alloc(hostile.length + 32, dice.pick([0x0a, 0x00, 0xff, 0x12]));
    hostile.copy(memory, 16);
    assert.equal(outcome(name, memory.subarray(16, 16 + hostile.length)), text, where);
    // The quick way and the one through the canonical form agree.
    if (i % 4 === 0) assert.equal(canonicalOutcome(name, hostile), text, where);
  }
  assert.ok(counts.json > INPUTS / 20, JSON.stringify(counts));
  assert.ok(counts.malformed > INPUTS / 20, JSON.stringify(counts));
  assert.equal(pool.taken, 0);
});

test(`${INPUTS / 10} pieces of noise are valid JSON or Malformed (seed ${seed})`, () => {
  const dice = createDice(seed + 1);
  for (let i = 0; i < INPUTS / 10; i++) {
    const { name } = dice.pick(proto.messages);
    const noise = Buffer.from(Array.from({ length: dice.roll(64) }, () => dice.roll(256)));
    const text = outcome(name as MessageName, noise);
    if (text !== "malformed")
      assert.doesNotThrow(() => JSON.parse(text), `seed ${seed}: ${noise.toString("hex")}`);
  }
});
