import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { descriptors } from "../../../src/gen/descriptors.ts";
import type { MessageName } from "../../../src/gen/messages.ts";
import { writers } from "../../../src/gen/writers.ts";
import { canonicalize } from "../../../src/wire/canonicalize.ts";
import { toJsonText } from "../../../src/wire/write-json.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { createDice, seed } from "./dice.ts";
import { jsonOf } from "./random.ts";
import { proto, referenceBytes, referenceText } from "./reference.ts";
import { scramble } from "./scramble.ts";

test(`shuffled, split, repeated, unpacked and unknown fields read as protobuf-es reads them (seed ${seed})`, () => {
  for (const message of proto.messages) {
    const name = message.name as MessageName;
    const property = fc.property(jsonOf(message), fc.nat(), (json, chance) => {
      const wire = scramble(message, referenceBytes(name, json), createDice(chance));
      const expected = referenceText(name, wire);
      assert.equal(toJsonText(writers[name], wire), expected);
      const canonical = canonicalize(wire, name, descriptors);
      assert.equal(toJsonText(writers[name], canonical), expected);
      assert.deepEqual(canonicalize(canonical, name, descriptors), canonical);
    });
    fc.assert(property, { seed, numRuns: randomRuns(20) });
  }
});
