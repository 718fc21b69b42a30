import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { acceptedCoding, compressOnce } from "../../../src/server/content-coding.ts";

test("the smallest coding that the client takes", () => {
  const cases: readonly (readonly [string | string[] | undefined, string | undefined])[] = [
    [undefined, undefined],
    ["", undefined],
    ["identity", undefined],
    ["gzip", "gzip"],
    ["GZIP, deflate, br", "br"],
    ["br;q=0, gzip;q=0.1", "gzip"],
    ["gzip; q=0", undefined],
    ["*", "br"],
    ["br;q=0, *", "gzip"],
    ["*;q=0", undefined],
    [["gzip", "br"], "br"],
    ["gzip;q=nonsense", undefined],
    ["brotli, gzipped", undefined],
    [`gzip${",x".repeat(32_768)}`, undefined],
  ];
  for (const [header, expected] of cases)
    assert.equal(acceptedCoding(header), expected, String(header).slice(0, 80));
  assert.equal(acceptedCoding("br, gzip", ["gzip"]), "gzip");
});

test("bytes are compressed once for each coding", async () => {
  const bytes = Buffer.from("the same again and again ".repeat(1000));
  const compressed = compressOnce(bytes);
  const [br, again, gzip] = await Promise.all([compressed("br"), compressed("br"), compressed("gzip")]);
  assert.equal(br, again);
  assert.deepEqual(brotliDecompressSync(br), bytes);
  assert.deepEqual(gunzipSync(gzip), bytes);
});
