import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedResize } from "../../../src/streaming/resize.ts";

const written = (text: string): string | undefined => checkedResize(Buffer.from(text))?.toString();

test("a size is written anew, without what else the client says", () => {
  const size = '{"Width":80,"Height":24}\n';
  for (const text of [
    '{"Width":80,"Height":24}',
    '{"Height":24,"Width":80}',
    ' {\n"Width" : 80.0, "Height": 2.4e1 } \n',
    '{"width":80,"HEIGHT":24}',
    '{"Width":80,"Height":24,"Depth":{"a":[1]},"Ω":null}',
  ]) {
    assert.equal(written(text), size, text);
  }
});

test("sizes go from 1 to 65535", () => {
  assert.equal(written('{"Width":65535,"Height":1}'), '{"Width":65535,"Height":1}\n');
  for (const bad of ["0", "-1", "65536", "70000", "1e9", "1.5", '"80"', "null", "true", "[80]", "{}"]) {
    assert.equal(written(`{"Width":${bad},"Height":24}`), undefined, bad);
    assert.equal(written(`{"Width":80,"Height":${bad}}`), undefined, bad);
  }
});

test("what is no size is none", () => {
  for (const text of [
    "",
    "{",
    "null",
    "80",
    '"80x24"',
    "[80,24]",
    "{}",
    '{"Width":80}',
    '{"Height":24}',
    "\xff\xfe",
  ]) {
    assert.equal(written(text), undefined, text);
  }
  assert.equal(checkedResize(Buffer.from([0xff, 0xfe, 0])), undefined);
});

test("checkedResize() does not parse what is longer than a size can be", () => {
  const size = '{"Width":80,"Height":24}';
  assert.ok(written(size.padEnd(256)));
  assert.equal(written(size.padEnd(257)), undefined);
});
