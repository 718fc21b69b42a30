/** What the page makes of a streamed body. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assets } from "../../../src/docs/assets.ts";

interface Limits {
  readonly maxItems: number;
  readonly maxCharacters: number;
}

const script = assets.find(({ name }) => name === "stream-items.js");
assert.ok(script);
const { itemsOf, lastOf } = (await import(script.file.href)) as {
  itemsOf(body: ReadableStream<Uint8Array>, mediaType: string): AsyncIterable<string[]>;
  lastOf(texts: readonly string[], limits: Limits): readonly string[];
};

/** The items of a body that comes in pieces of `size` bytes. */
async function items(text: string, mediaType: string, size: number): Promise<readonly string[]> {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  const found: string[] = [];
  for await (const some of itemsOf(ReadableStream.from(pieces), mediaType)) found.push(...some);
  return found;
}

test("itemsOf() finds lines and events wherever the body is cut, and leaves out heartbeats", async () => {
  const events = ':\n\nid: 1.a\ndata: {"text":"é"}\n\n:\n\ndata: {}\n\nevent: error\ndata: {"code":"x"}\n\n';
  for (const size of [1, 2, 3, 7, 1000]) {
    assert.deepEqual(await items(events, "text/event-stream", size), [
      '{"text":"é"}',
      "{}",
      '{"error":{"code":"x"}}',
    ]);
    assert.deepEqual(await items('{"a":1}\n{"b":2}\n', "application/x-ndjson", size), ['{"a":1}', '{"b":2}']);
    assert.deepEqual(await items("ü\n\nlast", "text/plain", size), ["ü", "", "last"]);
    assert.deepEqual(await items("", "text/plain", size), []);
  }
});

test("lastOf() keeps the last texts within both limits, and at least one", () => {
  const texts = ["a", "bb", "ccc", "dddd"];
  assert.deepEqual(lastOf(texts, { maxItems: 2, maxCharacters: 100 }), ["ccc", "dddd"]);
  assert.deepEqual(lastOf(texts, { maxItems: 9, maxCharacters: 7 }), ["ccc", "dddd"]);
  assert.deepEqual(lastOf(texts, { maxItems: 9, maxCharacters: 10 }), texts);
  assert.deepEqual(lastOf(texts, { maxItems: 9, maxCharacters: 1 }), ["dddd"]);
  assert.deepEqual(lastOf([], { maxItems: 9, maxCharacters: 1 }), []);
});
