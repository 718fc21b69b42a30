import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createHeaderWriter } from "../../../../src/streaming/spdy/headers.ts";
import { spdyDictionary } from "../../../support/spdy-dictionary.ts";
import { createHeaderReader } from "../../../support/spdy-wire.ts";

test("the dictionary of these tests is SPDY/3's", () => {
  assert.equal(spdyDictionary.length, 1423);
  let [low, high] = [1, 0];
  for (const byte of spdyDictionary) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  assert.equal(((high << 16) | low) >>> 0, 0xe3c6a7c2);
});

test("zlib with SPDY's dictionary inflates each block as soon as it has come", () => {
  const write = createHeaderWriter();
  const read = createHeaderReader();
  for (const headers of [
    { streamtype: "error" },
    { streamtype: "stdin" },
    { port: "8080", requestid: "0", streamtype: "data" },
    {},
    { streamtype: "resize" },
  ]) {
    assert.deepEqual(read(write(headers)), headers);
  }
});

test("any headers come back from zlib, whatever their bytes", () => {
  const anyHeaders = fc.dictionary(
    fc.string({ minLength: 1 }).map((name) => name.toLowerCase()),
    fc.string({ unit: "grapheme" }),
  );
  fc.assert(
    fc.property(fc.array(anyHeaders, { maxLength: 10 }), (blocks) => {
      const write = createHeaderWriter();
      const read = createHeaderReader();
      for (const headers of blocks) assert.deepEqual({ ...read(write(headers)) }, { ...headers });
    }),
  );
});

test("names are written in lower case", () => {
  assert.deepEqual(createHeaderReader()(createHeaderWriter()({ StreamType: "Error" })), {
    streamtype: "Error",
  });
});

test("the largest block that a stored deflate block holds is written, a larger one refused", () => {
  const overhead = 4 + 4 + 1 + 4;
  const fits = "v".repeat(0xffff - overhead);
  assert.deepEqual(createHeaderReader()(createHeaderWriter()({ n: fits })), { n: fits });
  assert.throws(() => createHeaderWriter()({ n: `${fits}v` }), RangeError);
});

test("a block that was refused leaves the zlib stream as it was", () => {
  const write = createHeaderWriter();
  const read = createHeaderReader();
  assert.throws(() => write({ n: "v".repeat(0xffff) }), RangeError);
  assert.deepEqual(read(write({ streamtype: "error" })), { streamtype: "error" });
});
