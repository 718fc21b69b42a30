/** The generated tables of containerd's own API, held against protobuf-es. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { descriptors } from "../../../src/gen/containerd/descriptors.ts";
import type { MessageName } from "../../../src/gen/containerd/messages.ts";
import { methods } from "../../../src/gen/containerd/methods.ts";
import { writers } from "../../../src/gen/containerd/writers.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { toJsonText } from "../../../src/wire/write-json.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { seed } from "./dice.ts";
import { jsonOf } from "./random.ts";
import { containerdProtos, referenceBytes, referenceText } from "./reference.ts";

const encode = createEncoder(descriptors);
const messages = containerdProtos.flatMap((file) => file.messages);

test("every message of proto/containerd has a writer and a descriptor", () => {
  const names = messages.map(({ name }) => name).sort();
  assert.deepEqual(Object.keys(writers).sort(), names);
  assert.deepEqual(Object.keys(descriptors.messages).sort(), names);
});

test("every method of proto/containerd has its path, its messages and its kind", () => {
  const declared = containerdProtos
    .flatMap((file) => file.services)
    .flatMap((service) => service.methods)
    .map((method) => [
      `${method.parent.name}/${method.name}`,
      {
        path: `/${method.parent.typeName}/${method.name}`,
        request: method.input.name,
        response: method.output.name,
        stream: method.methodKind === "server_streaming",
      },
    ]);
  assert.deepEqual(methods, Object.fromEntries(declared));
});

test(`JSON of every message of proto/containerd encodes to the bytes of protobuf-es, and back (seed ${seed})`, () => {
  for (const message of messages) {
    const name = message.name as MessageName;
    const property = fc.property(jsonOf(message), (json) => {
      const bytes = encode(name, json);
      assert.equal(bytes.toString("hex"), referenceBytes(message, json).toString("hex"));
      assert.equal(toJsonText(writers[name], bytes), referenceText(message, bytes));
    });
    fc.assert(property, { seed, numRuns: randomRuns(30) });
  }
});
