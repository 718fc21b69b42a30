import assert from "node:assert/strict";
import { test } from "node:test";
import { isStaticBinary } from "../../../src/embedded/static-binary.ts";

/** An ELF header and its program headers, of the given types. */
function elf(types: readonly number[], { wide = true, little = true } = {}): Buffer {
  const header = Buffer.alloc(64);
  header.write("\u007fELF");
  header[4] = wide ? 2 : 1;
  header[5] = little ? 1 : 2;
  const entryBytes = wide ? 56 : 32;
  const half = (value: number, at: number) =>
    little ? header.writeUInt16LE(value, at) : header.writeUInt16BE(value, at);
  // The table begins right after the 64 bytes.
  const tableAt = wide ? (little ? 0x20 : 0x27) : little ? 0x1c : 0x1f;
  header[tableAt] = 64;
  half(entryBytes, wide ? 0x36 : 0x2a);
  half(types.length, wide ? 0x38 : 0x2c);
  const table = types.map((type) => {
    const entry = Buffer.alloc(entryBytes);
    if (little) entry.writeUInt32LE(type);
    else entry.writeUInt32BE(type);
    return entry;
  });
  return Buffer.concat([header, ...table]);
}

const load = 1;
const dynamic = 2;
const interpreter = 3;

test("isStaticBinary() is about an interpreter, for every width and byte order", () => {
  for (const wide of [true, false]) {
    for (const little of [true, false]) {
      assert.ok(isStaticBinary(elf([load, dynamic, load], { wide, little })), `${wide} ${little}`);
      assert.ok(!isStaticBinary(elf([load, interpreter, load], { wide, little })), `${wide} ${little}`);
    }
  }
});

test("isStaticBinary() takes neither scripts nor what is cut short", () => {
  assert.ok(!isStaticBinary(Buffer.from(`#!/bin/sh\n${"#".repeat(100)}`)));
  assert.ok(!isStaticBinary(Buffer.alloc(0)));
  assert.ok(!isStaticBinary(elf([load, load]).subarray(0, 100)));
  assert.ok(!isStaticBinary(elf([])));
});
