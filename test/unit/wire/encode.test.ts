import assert from "node:assert/strict";
import { test } from "node:test";
import { createEncoder, type EncodeOptions } from "../../../src/wire/encode.ts";
import { InvalidValue, type Mistake } from "../../../src/wire/invalid-value.ts";
import { table } from "./table.ts";

const encode = createEncoder(table);

function hex(value: unknown, message = "Thing"): string {
  return encode(message, value).toString("hex");
}

function mistakes(value: unknown, options?: EncodeOptions): readonly Mistake[] {
  try {
    encode("Thing", value, options);
  } catch (error) {
    if (error instanceof InvalidValue) return error.mistakes;
    throw error;
  }
  return [];
}

/** Asserts that there is one mistake, at the pointer, that says so. */
function assertRefused(value: unknown, pointer: string, detail: RegExp): void {
  const found = mistakes(value);
  assert.deepEqual(
    found.map((mistake) => mistake.pointer),
    [pointer],
  );
  assert.match(found[0]?.detail ?? "", detail);
}

test("encode() takes both spellings of a name, in any order", () => {
  assert.equal(hex({ hostPath: "/a", name: "n" }), "0a016e12022f61");
  assert.equal(hex({ name: "n", host_path: "/a" }), "0a016e12022f61");
});

test("encode() refuses a field in both spellings", () => {
  assertRefused(
    { hostPath: "/a", host_path: "/a" },
    "/host_path",
    /must not be given twice, it is also set as hostPath/,
  );
  assertRefused({ host_path: null, hostPath: "/a" }, "/hostPath", /must not be given twice/);
});

test("encode() leaves defaults and nulls out", () => {
  assert.equal(
    hex({
      name: "",
      int64: "0",
      uint32: 0,
      double: 0,
      bool: false,
      bytes: "",
      kind: "PLAIN",
      words: [],
      labels: {},
    }),
    "",
  );
  assert.equal(hex({ name: null, int64: null, part: null, words: null, labels: null, vault: undefined }), "");
  assert.equal(hex({ part: {} }), "6200");
  assert.equal(hex({ double: -0 }), "390000000000000080");
});

test("encode() refuses null inside lists and maps", () => {
  assertRefused({ words: ["a", null] }, "/words/1", /must be a string, got null/);
  assertRefused({ numbers: [null] }, "/numbers/0", /got null/);
  assertRefused({ parts: [null] }, "/parts/0", /must be an object or a string \(its image\), got null/);
  assertRefused({ labels: { a: null } }, "/labels/a", /must be a string, got null/);
});

test("encode() names the nearest field and the known ones for an unknown one", () => {
  assertRefused(
    { part: { wieght: 1 } },
    "/part/wieght",
    /is not known \(did you mean weight\?\): Part has image, weight/,
  );
  assertRefused({ part: { HOST: 1 } }, "/part/HOST", /is not known: Part has image, weight/);
  assert.throws(() => encode("Nothing", { a: 1 }), /\/a is not known: Nothing has no fields/);
});

test("encode() drops unknown fields when it is told to, and names each", () => {
  const named: string[] = [];
  const onUnknown = (path: readonly (string | number)[]) => void named.push(path.join(" "));
  const value = { name: "n", newer: { a: [1] }, parts: [{}, { "a/b": 1 }], labels: { newer: "x" } };
  assert.equal(
    encode("Thing", value, { onUnknown }).toString("hex"),
    "0a016e6a006a0082010a0a056e65776572120178",
  );
  assert.deepEqual(named, ["newer", "parts 1 a/b"]);
  assert.throws(() => encode("Thing", { newer: 1, name: 5 }, { onUnknown }), { pointer: "/name" });
});

test("encode() takes bigints for 64-bit integers, and for nothing else", () => {
  assert.equal(
    hex({ int64: -(2n ** 63n), uint64: 2n ** 64n - 1n }),
    hex({ int64: "-9223372036854775808", uint64: "18446744073709551615" }),
  );
  assert.equal(hex({ numbers: [2n ** 53n + 1n] }), hex({ numbers: ["9007199254740993"] }));
  assertRefused({ int64: 2n ** 63n }, "/int64", /must be int64, from .*, got 9223372036854775808/);
  for (const field of ["name", "int32", "uint32", "bool", "bytes", "text", "kind"])
    assertRefused({ [field]: 2n ** 60n }, `/${field}`, /^must be /);
  assertRefused({ password: 2n ** 60n }, "/password", /got a number$/);
});

test("encode() takes 64-bit integers as decimal strings and as safe numbers", () => {
  assert.equal(hex({ int64: "-9223372036854775808" }), "1880808080808080808001");
  assert.equal(hex({ uint64: "18446744073709551615" }), "20ffffffffffffffffff01");
  assert.equal(
    hex({ int64: 9007199254740991, numbers: ["1", -1] }),
    "18ffffffffffffff0f720b01ffffffffffffffffff01",
  );
});

test("encode() refuses lost digits, and says to use a string", () => {
  assertRefused(
    { int64: 9007199254740992 },
    "/int64",
    /loses digits, write it as a string, got 9007199254740992/,
  );
  assertRefused({ uint64: 1e20 }, "/uint64", /write it as a string/);
});

test("encode() refuses integers out of range, fractions, and other ways to write them", () => {
  assertRefused(
    { int64: "9223372036854775808" },
    "/int64",
    /from -9223372036854775808 to 9223372036854775807, got "9223372036854775808"/,
  );
  assertRefused({ uint64: -1 }, "/uint64", /from 0 to 18446744073709551615, got -1/);
  assertRefused(
    { int32: 2147483648 },
    "/int32",
    /int32, an integer from -2147483648 to 2147483647, got 2147483648/,
  );
  assertRefused({ uint32: 4294967296 }, "/uint32", /to 4294967295/);
  for (const wrong of [1.5, "01", "+1", " 1", "1.0", "1e3", "0x10", "", true, [], "1".repeat(40)]) {
    assertRefused({ int64: wrong }, "/int64", /must be int64, an integer as a decimal string or a number/);
  }
  for (const wrong of [1.5, "1", Number.NaN, false])
    assertRefused({ int32: wrong }, "/int32", /must be int32/);
});

test("encode() takes enums by name and by number", () => {
  assert.equal(hex({ kind: "ODD" }), "5807");
  assert.equal(hex({ kind: 7 }), "5807");
  assert.equal(hex({ kind: 5 }), "5805");
  assertRefused(
    { kind: "ood" },
    "/kind",
    /must be one of PLAIN, FANCY, ODD \(did you mean ODD\?\), got "ood"/,
  );
  assertRefused({ kind: "toString" }, "/kind", /must be one of PLAIN, FANCY, ODD, got "toString"/);
  assertRefused({ kind: "1" }, "/kind", /must be one of/);
  assertRefused({ kind: 2 ** 31 }, "/kind", /int32/);
});

test("encode() takes base64 in both alphabets, padded or not, and nothing else", () => {
  for (const right of ["+/8=", "-_8=", "+/8", "-_8"]) assert.equal(hex({ bytes: right }), "4a02fbff", right);
  for (const wrong of ["+_8=", "+/8==", "+/9", "+/", "A", "++++=", "+/ 8=", "é", 5, "+/8=\n"]) {
    assertRefused({ bytes: wrong }, "/bytes", /must be base64, standard or URL-safe, got/);
  }
});

test("encode() takes bytes that are text in JSON as they are", () => {
  assert.equal(hex({ text: "8080é" }), "520638303830c3a9");
});

test("encode() takes doubles and proto3's names of what JSON cannot say", () => {
  assert.equal(hex({ double: "-Infinity" }), "39000000000000f0ff");
  assertRefused(
    { double: "1.5" },
    "/double",
    /must be a number, "NaN", "Infinity" or "-Infinity", got "1.5"/,
  );
  assertRefused({ double: Number.POSITIVE_INFINITY }, "/double", /must be a number/);
});

test("encode() takes a string for a message that has a shorthand", () => {
  assert.equal(hex({ part: "busybox" }), hex({ part: { image: "busybox" } }));
  assert.equal(hex({ parts: ["a", { image: "b" }] }), hex({ parts: [{ image: "a" }, "b"] }));
  assert.equal(hex("busybox", "Part"), "0a0762757379626f78");
  assertRefused({ part: "\ud800" }, "/part", /must be valid Unicode/);
});

test("encode() refuses wrong types", () => {
  assertRefused([], "", /must be an object, got a list/);
  assertRefused("x", "", /must be an object, got a string/);
  assertRefused({ name: 5 }, "/name", /must be a string, got 5/);
  assertRefused({ bool: "true" }, "/bool", /must be true or false, got "true"/);
  assertRefused({ words: "a" }, "/words", /must be a list, got "a"/);
  assertRefused({ numbers: { length: 1 } }, "/numbers", /must be a list, got an object/);
  assertRefused({ labels: ["a"] }, "/labels", /must be an object, got a list/);
  assertRefused({ parts: {} }, "/parts", /must be a list, got an object/);
});

test("encode() refuses lone surrogates in values and in keys", () => {
  assertRefused(
    { name: "a\ud800" },
    "/name",
    /must be valid Unicode, without lone surrogates, got "a\\ud800"/,
  );
  assertRefused({ labels: { "\udfff": "x" } }, "/labels/\udfff", /must have a key of valid Unicode/);
});

test("encode() treats __proto__ and its like as plain keys", () => {
  const labels = JSON.parse('{"__proto__": "a", "constructor": "b"}') as object;
  assert.equal(hex({ labels }), "82010e0a095f5f70726f746f5f5f1201618201100a0b636f6e7374727563746f72120162");
  assertRefused(JSON.parse('{"__proto__": {"name": "x"}}'), "/__proto__", /is not known/);
  assertRefused({ constructor: 1 }, "/constructor", /is not known/);
  assert.equal(({} as { name?: string }).name, undefined);
});

test("pointers are in the sender's spelling, with RFC 6901's escapes", () => {
  assertRefused({ labels: { "a/b~c": 1 } }, "/labels/a~1b~0c", /got 1/);
  assertRefused({ host_path: 1 }, "/host_path", /got 1/);
  assertRefused({ parts: ["a", { weight: "x" }] }, "/parts/1/weight", /got "x"/);
});

test("errors never hold the value of a redacted field, or what is below it", () => {
  const canary = 31415926;
  const values = [
    { password: canary },
    { password: { canary } },
    { secrets: ["a", canary] },
    { secrets: String(canary) },
    { vault: { weight: String(canary) } },
    { vault: canary },
    { part: [canary], name: "x" },
    { password: `${canary}\ud800` },
  ];
  for (const value of values) {
    const found = mistakes(value);
    assert.equal(found.length, 1, JSON.stringify(value));
    assert.doesNotMatch(JSON.stringify(found), new RegExp(String(canary)));
    assert.match(found[0]?.detail ?? "", /, got (a|an) /);
  }
});

test("errors shorten long values", () => {
  const [mistake] = mistakes({ bool: "x".repeat(10_000) });
  assert.ok((mistake?.detail.length ?? 0) < 100);
});

test("several mistakes are told at once, up to ten", () => {
  const found = mistakes({ name: 1, nope: 1, int64: "x", labels: { a: 1 } });
  assert.deepEqual(found.map(({ pointer }) => pointer).sort(), ["/int64", "/labels/a", "/name", "/nope"]);
  assert.equal(mistakes({ words: Array.from({ length: 50 }, (_, i) => i) }).length, 10);
});

test("the error itself says the first mistake", () => {
  assert.throws(() => encode("Thing", { part: { weight: "x" } }), {
    name: "InvalidValue",
    message:
      'Cannot encode Thing: /part/weight must be int32, an integer from -2147483648 to 2147483647, got "x"',
    pointer: "/part/weight",
  });
});

test("encode() bounds the size of a message", () => {
  assert.equal(encode("Thing", { name: "x".repeat(98) }, { maxBytes: 100 }).length, 100);
  for (const value of [
    { name: "x".repeat(99) },
    { labels: { a: "x".repeat(99) } },
    { numbers: Array(99).fill("-1") },
  ]) {
    assert.deepEqual(mistakes(value, { maxBytes: 100 }), [
      { pointer: "", detail: "must be at most 100 bytes as protobuf" },
    ]);
  }
});

test("encode() bounds the depth of a message", () => {
  let value = {};
  for (let i = 0; i < 10_000; i++) value = { next: value };
  assert.throws(() => encode("Endless", value), /must not be nested so deeply/);
});

test("encode() prefixes nested messages of any size with their length", () => {
  for (const size of [0, 1, 125, 126, 127, 128, 16_380, 16_390, 2_100_000]) {
    const bytes = encode("Thing", { vault: { image: "x".repeat(size) } });
    assert.equal(
      bytes
        .subarray(-size || bytes.length)
        .toString()
        .replaceAll("x", ""),
      "",
      `${size}`,
    );
    assert.equal(bytes.toString().split("x").length - 1, size);
  }
});

test("encode() throws a TypeError for a message that the table does not have", () => {
  assert.throws(() => encode("toString", {}), TypeError);
});
