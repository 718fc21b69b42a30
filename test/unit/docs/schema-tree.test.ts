import assert from "node:assert/strict";
import { test } from "node:test";
import type { Schema } from "../../../src/docs/document.ts";
import { fieldList, typeOf } from "../../../src/docs/schema-tree.ts";

const reference = { $ref: "#/components/schemas/Mount" };
const link = '<a href="#Mount">Mount</a>';

const types: readonly (readonly [Schema, string])[] = [
  [{ type: "string" }, "string"],
  [{ type: "boolean" }, "boolean"],
  [{ type: "string", format: "int64" }, "int64, as text"],
  [{ type: "string", format: "byte" }, "bytes, in base64"],
  [{ type: "string", format: "uri-reference" }, "string, uri-reference"],
  [{ type: "integer", format: "int32" }, "int32"],
  [{ type: "integer" }, "integer"],
  [{}, "any value"],
  [reference, link],
  [{ type: "array", items: reference }, `list of ${link}`],
  [{ type: "object", additionalProperties: { type: "string" } }, "map of string"],
  [{ anyOf: [{ const: "a" }, { const: "b" }] }, "<code>&quot;a&quot;</code> or <code>&quot;b&quot;</code>"],
  [{ enum: ["a"] }, "<code>&quot;a&quot;</code>"],
];

for (const [schema, words] of types) {
  test(`the type of ${JSON.stringify(schema)} in words`, () => assert.equal(typeOf(schema).text, words));
}

const message: Schema = {
  type: "object",
  required: ["id"],
  properties: {
    id: { type: "string", description: "Full `id`." },
    state: { $ref: "#/components/schemas/State" },
    mounts: { type: "array", items: reference },
    inner: { type: "array", items: { type: "object", properties: { deep: { type: "string" } } } },
  },
};
const components = { Mount: { properties: {} }, State: { enum: ["A"] } };

test("fields of an answer say when they may be absent, fields of a request when they must be there", () => {
  const answered = fieldList(message, { direction: "answered", components })?.text ?? "";
  const sent = fieldList(message, { direction: "sent", components })?.text ?? "";
  assert.equal(answered.match(/may be absent/g)?.length, 4);
  assert.doesNotMatch(answered, />required</);
  assert.equal(sent.match(/>required</g)?.length, 1);
  assert.doesNotMatch(sent, /may be absent/);
});

test("what a field holds opens below it: a component by its name, an object in its place", () => {
  const text = fieldList(message, { direction: "sent", components })?.text ?? "";
  assert.match(text, /data-component="Mount"><summary>Fields /);
  assert.match(text, /data-component="State"><summary>Values /);
  assert.match(
    text,
    /<summary>Fields<\/summary><ul class="fields"><li>\s*<div class="field"><code class="name">deep</,
  );
  assert.equal(fieldList({ type: "string" }, { direction: "sent", components }), undefined);
});
