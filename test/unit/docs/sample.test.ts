import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiDocument, Schema } from "../../../src/docs/document.ts";
import { sampleBody } from "../../../src/docs/sample.ts";

const schemas: { readonly [name: string]: Schema } = {
  Pod: {
    properties: {
      metadata: { $ref: "#/components/schemas/Metadata", description: "Who it is. Required." },
      hostname: { type: "string" },
    },
  },
  Metadata: {
    properties: {
      name: { type: "string", description: "Required by CRI-O." },
      attempt: { type: "integer" },
    },
  },
  Resources: {
    properties: {
      quota: { type: "string", format: "int64" },
      swap: { type: "boolean" },
      labels: { type: "object", additionalProperties: { type: "string" } },
      state: { $ref: "#/components/schemas/State" },
      list: { type: "array", items: { type: "string" } },
      old: { type: "string", deprecated: true },
      windows: { $ref: "#/components/schemas/Pod" },
      inner: { $ref: "#/components/schemas/Resources" },
    },
  },
  State: { enum: ["READY", "NOT_READY"] },
};
const document: ApiDocument = {
  ...{ info: { title: "", version: "" }, paths: {} },
  components: { schemas },
};
const schema = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

test("the document's own example comes first", () => {
  assert.deepEqual(sampleBody(document, { schema: schema("Pod"), example: { a: 1 } }), { a: 1 });
  assert.deepEqual(sampleBody(document, { examples: { one: { value: 2 } } }), 2);
  assert.deepEqual(sampleBody(document, { schema: { type: "string", examples: ["x"] } }), "x");
});

test("required fields and those with a telling value are enough", () => {
  assert.deepEqual(sampleBody(document, { schema: schema("Pod") }), { metadata: { name: "web" } });
});

test("where nothing says which fields matter, all plain ones stand, two messages deep", () => {
  const plain = { quota: "0", swap: false, labels: {}, state: "READY", list: [] };
  assert.deepEqual(sampleBody(document, { schema: schema("Resources") }), {
    ...plain,
    inner: { ...plain, inner: plain },
  });
});
