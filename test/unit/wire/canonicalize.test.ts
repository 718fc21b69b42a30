import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalize } from "../../../src/wire/canonicalize.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { Malformed } from "../../../src/wire/read.ts";
import { table } from "./table.ts";

const encode = createEncoder(table);

/** The canonical form of hex, as hex. */
function canonical(hex: string): string {
  return canonicalize(Buffer.from(hex.replaceAll(" ", ""), "hex"), "Thing", table).toString("hex");
}

function hex(value: object): string {
  return encode("Thing", value).toString("hex");
}

test("canonicalize() leaves canonical wire as it is", () => {
  const wire = hex({
    name: "n",
    int64: "-1",
    double: 1,
    part: "p",
    parts: ["a", "b"],
    numbers: [1, -1],
    words: ["", "x"],
    labels: { b: "1", a: "" },
  });
  assert.equal(canonical(wire), wire);
});

test("canonicalize() orders fields by number", () => {
  assert.equal(canonical("12017a 0a0161"), "0a016112017a");
});

test("canonicalize() keeps the last of a scalar's values", () => {
  assert.equal(canonical("0a0161 1801 0a0162 1802"), "0a01621802");
});

test("canonicalize() merges the parts of a message", () => {
  assert.equal(canonical("62030a0161 62021005 62030a0162"), hex({ part: { image: "b", weight: 5 } }));
});

test("canonicalize() joins the pieces of lists, packed or not", () => {
  assert.equal(canonical("7001 7a0161 720302ff01 7a0162"), "72040102ff017a01617a0162");
  assert.equal(canonical("7200"), "7200");
});

test("canonicalize() gives map entries a key and a value", () => {
  const entry = (content: string): string =>
    `8201${(content.length / 2).toString(16).padStart(2, "0")}${content}`;
  const odd = ["", "0a0161", "120162", "1201620a01610a0163", "0a016112013f1801"].map(entry).join("");
  const right = ["0a001200", "0a01611200", "0a00120162", "0a0163120162", "0a016112013f"].map(entry).join("");
  assert.equal(canonical(odd), right);
});

test("canonicalize() repairs map keys that are not UTF-8", () => {
  assert.equal(canonical("8201030a01ff"), "8201070a03efbfbd1200");
});

test("canonicalize() drops unknown fields, groups too, and known ones of a wrong wire type", () => {
  assert.equal(canonical("a20603616263 0a0161 9b06 0801 9b06 9c06 9c06"), "0a0161");
  const wrong = [
    "0801",
    "1a0161",
    "390000000000000000".replace("39", "19"),
    "3801",
    "4101020304050607 08",
    "6001",
    "7d01020304",
    "8001 05",
    "25 01020304",
  ];
  for (const field of wrong) assert.equal(canonical(`${field} 0a0161`), "0a0161", field);
});

test("canonicalize() refuses what is not protobuf", () => {
  const wrong = [
    "0a",
    "0a05",
    "0aff",
    "18",
    "1880",
    "39000000",
    "00",
    "07",
    "0e",
    "a306",
    "a306a406ac06",
    "9c06",
    "720180",
    "820101ff",
    "6202 0a05",
    "0affffffffff01",
    "f8ffffffff7f",
  ];
  for (const wire of wrong) assert.throws(() => canonical(wire), Malformed, wire);
});

test("canonicalize() refuses pieces of a packed list that end within a number", () => {
  assert.throws(() => canonical("720180 720101"), Malformed);
});

test("canonicalize() checks messages without fields", () => {
  assert.throws(() => canonicalize(Buffer.from([0x0a, 5]), "Nothing", table), Malformed);
  assert.equal(canonicalize(Buffer.from([0x0a, 0]), "Nothing", table).length, 0);
});
