import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cutMark, cutText, decodeText } from "../../../src/cri/runtime-text.ts";

test("cutText() leaves a text of 4 KiB alone, and keeps beginning and end of a longer one", () => {
  for (const text of ["", "a", "x".repeat(4096), "é".repeat(2048)]) assert.equal(cutText(text), text);
  const long = `exec: "${"x".repeat(1_000_000)}": no such file`;
  const cut = cutText(long);
  assert.equal(cut.length, 4096 + cutMark.length);
  assert.match(cut, /^exec: "x+\.\.\. \(cut\) \.\.\.x+": no such file$/);
});

test("cutText() cuts between characters and keeps nearly as much as it may", () => {
  const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(text, fc.integer({ min: 16, max: 60 }), (whole, maxBytes) => {
      const cut = cutText(whole, maxBytes);
      if (Buffer.byteLength(whole) <= maxBytes) {
        assert.equal(cut, whole);
        return;
      }
      const at = cut.indexOf(cutMark);
      const head = cut.slice(0, at);
      const tail = cut.slice(at + cutMark.length);
      assert.ok(whole.startsWith(head) && whole.endsWith(tail));
      const bytes = Buffer.byteLength(head + tail);
      assert.ok(bytes <= maxBytes && bytes > maxBytes - 8, `${bytes} of ${maxBytes}`);
    }),
  );
});

test("decodeText() keeps the beginning, up to a whole character", () => {
  assert.equal(decodeText(Buffer.from("aé"), 3), "aé");
  assert.equal(decodeText(Buffer.from("aéé"), 4), `aé${cutMark}`);
  assert.equal(decodeText(Buffer.from("aé🚀"), 6), `aé${cutMark}`);
  // No UTF-8 at all.
  assert.equal(decodeText(Buffer.alloc(100, 0x80), 10), `${"\ufffd".repeat(10)}${cutMark}`);
});
