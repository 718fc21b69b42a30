import assert from "node:assert/strict";
import { test } from "node:test";
import { literal, put, writeBase64, writeText } from "../../../src/wire/json-text.ts";
import { createDice, seed } from "../gen/dice.ts";

function textOf(bytes: Buffer, room = bytes.length * 6 + 8): string {
  const output = Buffer.alloc(room, 0x21);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = writeText(
    bytes,
    view,
    0,
    bytes.length,
    new DataView(output.buffer, output.byteOffset, room),
    0,
  );
  return output.toString("latin1", 0, end);
}

function expectedOf(bytes: Buffer): string {
  return Buffer.from(JSON.stringify(bytes.toString("utf8")).slice(1, -1)).toString("latin1");
}

test("writeText() escapes every character as JSON.stringify does, at every place of a word", () => {
  for (let c = 0; c < 256; c++) {
    for (let place = 0; place < 9; place++) {
      const bytes = Buffer.from("abcdefghijklmnop");
      bytes[place] = c;
      assert.equal(textOf(bytes), expectedOf(bytes), `${c} at ${place}`);
    }
  }
});

test(`writeText() replaces broken UTF-8 as the WHATWG decoder does (seed ${seed})`, () => {
  const dice = createDice(seed);
  const likely = [
    0x41, 0x22, 0x80, 0xbf, 0xc1, 0xc2, 0xe0, 0xa0, 0x9f, 0xed, 0xef, 0xf0, 0x90, 0x8f, 0xf4, 0xf5, 0xff,
  ];
  for (let i = 0; i < 50_000; i++) {
    const bytes = Buffer.from(Array.from({ length: dice.roll(12) }, () => dice.pick(likely)));
    assert.equal(textOf(bytes), expectedOf(bytes), bytes.toString("hex"));
  }
});

test("writeText() refuses with a RangeError when there is no room", () => {
  const bytes = Buffer.from('abc"\n\u0001é😀\ufffd');
  const needed = textOf(bytes).length;
  for (let room = 0; room < needed; room++) assert.throws(() => textOf(bytes, room), RangeError);
});

test("writeBase64() writes what Buffer writes", () => {
  for (let length = 0; length < 260; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 151 + length) & 255));
    const output = Buffer.alloc(400);
    const end = writeBase64(bytes, 0, length, new DataView(output.buffer, output.byteOffset, 400), 0);
    assert.equal(output.toString("latin1", 0, end), bytes.toString("base64"));
  }
});

test("put() writes a literal of any length", () => {
  for (let length = 0; length < 20; length++) {
    const text = ',"labels":{},0123456789~'.slice(0, length);
    const output = new DataView(new ArrayBuffer(64));
    const end = put(literal(text), output, 3);
    assert.equal(Buffer.from(output.buffer, 3, end - 3).toString("utf8"), text);
  }
});
