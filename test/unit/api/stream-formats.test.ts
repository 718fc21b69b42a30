import assert from "node:assert/strict";
import { test } from "node:test";
import { streamFormat } from "../../../src/api/stream-formats.ts";

const lineOf = (item: object): string | undefined => ("text" in item ? String(item.text) : undefined);

test("streamFormat() writes the id of an item in server-sent events only", () => {
  const item = { text: "a\nb" };
  assert.equal(streamFormat("sse", lineOf).item(item, "7"), 'id: 7\ndata: {"text":"a\\nb"}\n\n');
  assert.equal(streamFormat("sse", lineOf).item(item), 'data: {"text":"a\\nb"}\n\n');
  assert.equal(streamFormat("ndjson", lineOf).item(item, "7"), '{"text":"a\\nb"}\n');
});

test("streamFormat() leaves out of text what has no line", () => {
  const text = streamFormat("text", lineOf);
  assert.equal(text.item({ text: "a" }), "a\n");
  assert.equal(text.item({ bookmark: true }), "");
});
