import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noneMatch, weakEtag } from "../../../src/server/etag.ts";

const etag = weakEtag(Buffer.from("some text"));

test("an ETag is weak, follows from the bytes alone, and differs with them", () => {
  assert.match(etag, /^W\/"[\w-]{22}"$/);
  assert.equal(weakEtag(new Uint8Array(Buffer.from("some text"))), etag);
  const texts = ["", "a", "b", "some text ", "some texT"].map((text) => weakEtag(Buffer.from(text)));
  assert.equal(new Set([...texts, etag]).size, 6);
});

test("only the bytes of a view count, not the memory around it", () => {
  const memory = Buffer.from("xxsome textyy");
  assert.equal(weakEtag(memory.subarray(2, 11)), etag);
});

test("If-None-Match names it alone, in a list, weak or strong, or by *", () => {
  const strong = etag.slice(2);
  const headers = [
    etag,
    strong,
    `"a", ${etag}`,
    `${etag}, "a"`,
    `"a",${strong},W/"b"`,
    "*",
    " * ",
    ` ${etag} `,
  ];
  for (const header of [...headers, `"with, comma", ${etag}`, `"",${etag}`])
    assert.ok(noneMatch(header, etag), header);
});

test("another validator, part of one, or none does not match", () => {
  const inner = etag.slice(3, -1);
  const headers = [
    undefined,
    "",
    '"a"',
    'W/"a"',
    inner,
    `"${inner}`,
    `${inner}"`,
    `"x${inner}"`,
    `"${inner}x"`,
  ];
  for (const header of [
    ...headers,
    `"a, ${inner}"`,
    "**",
    "*, *",
    '"*"',
    `W/${inner}`,
    `"${inner.toLowerCase()}"`,
  ]) {
    assert.equal(noneMatch(header, etag), false, header);
  }
});

test("any header is answered", () => {
  const part = fc.constantFrom('"', "W/", ",", "*", " ", etag, "a");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map((parts) => parts.join("")),
      ),
      (header) => {
        assert.equal(typeof noneMatch(header, etag), "boolean");
      },
    ),
  );
});

test("a list over 4 KiB is not read, and names nothing", () => {
  const filling = '"a", '.repeat(4096 / 5 - etag.length);
  assert.ok(noneMatch(filling + etag, etag));
  assert.ok(!noneMatch(filling + etag + " ".repeat(4096), etag));
});
