import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { descriptors } from "../../../src/gen/descriptors.ts";
import type { MessageName } from "../../../src/gen/messages.ts";
import { writers } from "../../../src/gen/writers.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { toJsonText } from "../../../src/wire/write-json.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { seed } from "./dice.ts";
import { jsonOf } from "./random.ts";
import { proto, referenceBytes, referenceText } from "./reference.ts";

const encode = createEncoder(descriptors);
const messages = proto.messages;

test("every message has a writer and a descriptor", () => {
  const names = messages.map(({ name }) => name).sort();
  assert.deepEqual(Object.keys(writers).sort(), names);
  assert.deepEqual(Object.keys(descriptors.messages).sort(), names);
});

test(`JSON of every message encodes to the bytes of protobuf-es, and back to its JSON (seed ${seed})`, () => {
  for (const message of messages) {
    const name = message.name as MessageName;
    const property = fc.property(jsonOf(message), (json) => {
      const bytes = encode(name, json);
      assert.equal(bytes.toString("hex"), referenceBytes(name, json).toString("hex"));
      assert.equal(toJsonText(writers[name], bytes), referenceText(name, bytes));
    });
    fc.assert(property, { seed, numRuns: randomRuns(30) });
  }
});
