import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidJson, parseJson } from "../../../src/wire/parse-json.ts";

function parse(text: string): unknown {
  return parseJson(Buffer.from(text));
}

/** `detail` and place of the refusal. */
function refusal(input: string | Uint8Array): string {
  try {
    parseJson(typeof input === "string" ? Buffer.from(input) : input);
  } catch (error) {
    if (error instanceof InvalidJson) return `${error.line}:${error.column} ${error.pointer} ${error.detail}`;
    throw error;
  }
  return "taken";
}

test("parseJson() reads what JSON.parse reads", () => {
  const texts = [
    "null",
    ' \t\r\n{"a" : [ 1 , -2.5e+3, true,false , null, "x\\u0041\\n\\/\\"" ] , "b":{} ,"c":[]} ',
    '"\\ud83d\\ude00 \u2028 é"',
    "-0",
    "0.1",
    "1E2",
    "123456789012345678901234567890",
    '{"": {"": [[[]]]}}',
  ];
  for (const text of texts) assert.equal(JSON.stringify(parse(text)), JSON.stringify(JSON.parse(text)), text);
  assert.ok(Object.is(parse("-0"), -0));
});

test("parseJson() refuses what is not JSON, with a place", () => {
  assert.equal(refusal(""), "1:1  expected a value, but the text ends");
  assert.equal(refusal("{"), "1:2  expected a name in double quotes, but the text ends");
  assert.equal(refusal('{"a": 1,}'), "1:9  expected a name in double quotes");
  assert.equal(refusal("[1,]"), "1:4 /1 expected a value");
  assert.equal(refusal('{"a":\n  [1, x]}'), "2:7 /a/1 expected a value");
  assert.equal(refusal('{"a" 1}'), "1:6 /a expected a colon");
  assert.equal(refusal('{"a": 1 "b": 2}'), "1:9  expected a comma or }");
  assert.equal(refusal("[1 2]"), "1:4  expected a comma or ]");
  assert.equal(refusal("{} {}"), "1:4  something follows the value");
  assert.equal(refusal("nul"), "1:1  expected a value");
  assert.equal(refusal("01"), "1:2  something follows the value");
  assert.equal(refusal("-"), "1:1  expected a digit");
  assert.equal(refusal("1."), "1:2  something follows the value");
  assert.equal(refusal('"a'), "1:3  expected the end of a string, but the text ends");
  assert.equal(refusal('"\\x"'), "1:3  expected an escape");
  assert.equal(refusal('"\\u12g4"'), "1:4  expected four hexadecimal digits");
  assert.equal(refusal('"a\nb"'), "1:3  a control character in a string is not escaped");
  for (const text of ["'a'", "{a:1}", "[1,,2]", "NaN", "Infinity", "+1", ".5", "// x\n1", "\u00a01"]) {
    assert.match(refusal(text), /expected a/, text);
  }
});

test("parseJson() refuses bytes that are not UTF-8, and says where", () => {
  assert.equal(refusal(Buffer.from([0x22, 0x61, 0x0a, 0xc3, 0x28, 0x22])), "2:1  the bytes are not UTF-8");
  assert.equal(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), "1:2  the bytes are not UTF-8");
  assert.equal(refusal(Buffer.from([0x22, 0xef, 0xbf, 0xbd, 0xff, 0x22])), "1:3  the bytes are not UTF-8");
});

test("parseJson() refuses a byte order mark", () => {
  assert.equal(refusal("\ufeff{}"), "1:1  the text begins with a byte order mark");
});

test("parseJson() refuses a member that is given twice, however it is written", () => {
  assert.equal(refusal('{"a":{"b":1,\n"b":2}}'), '2:1 /a/b the member "b" is repeated');
  assert.equal(refusal('{"a":1,"\\u0061":1}'), '1:8 /a the member "a" is repeated');
  assert.equal(
    refusal('{"__proto__":1,"__proto__":1}'),
    '1:16 /__proto__ the member "__proto__" is repeated',
  );
});

test("parseJson() refuses numbers that a double cannot hold", () => {
  const lost = /the number does not fit a double without loss/;
  for (const text of [
    "1e400",
    "-1e400",
    "1e-400",
    "1.00000000000000000001",
    "9007199254740990.6",
    "0.9999999999999999999",
  ]) {
    assert.match(refusal(`{"a":${text}}`), lost, text);
  }
  for (const text of [
    "0.0",
    "-0.0e5",
    "1.0",
    "10e-1",
    "1e3",
    "12e+2",
    "0.1e1",
    "0e999",
    "1e308",
    "0.1",
    "5e-324",
  ]) {
    assert.equal(parse(text), Number(text), text);
  }
});

test("parseJson() is through with a number of a million digits", () => {
  const zeros = "0".repeat(1_000_000);
  assert.match(refusal(`{"a":1${zeros}1e-1000001}`), /does not fit a double without loss/);
  assert.equal(parse(`1${zeros}e-1000000`), 1);
});

test("parseJson() keeps all digits of integers where it is told to", () => {
  const exact = (text: string) => parseJson(Buffer.from(text), { exactIntegers: true });
  assert.equal(exact("9223372036854771712"), "9223372036854771712");
  assert.equal(exact("-9007199254740993"), "-9007199254740993");
  assert.equal(exact("9007199254740991"), 9_007_199_254_740_991);
  assert.equal(exact("1e300"), 1e300);
  assert.equal(parse("9223372036854771712"), 2 ** 63 - 4096);
});

test("parseJson() keeps __proto__ a plain member", () => {
  const value = parse('{"__proto__": {"polluted": true}}') as { [key: string]: unknown };
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(value.polluted, undefined);
  assert.equal(Object.getPrototypeOf(value), null);
});

test("parseJson() bounds the depth", () => {
  assert.equal(refusal("[".repeat(64) + "]".repeat(64)), "taken");
  assert.match(refusal("[".repeat(65) + "]".repeat(65)), /it is nested more than 64 levels deep/);
  assert.match(refusal('{"a":'.repeat(1_000_000)), /it is nested more than 64 levels deep/);
});

test("parseJson() reads a subarray and nothing around it", () => {
  const memory = Buffer.from('xx{"a":1}yy');
  assert.deepEqual({ ...(parseJson(memory.subarray(2, 9)) as object) }, { a: 1 });
});

test("errors show names, never values", () => {
  for (const text of [
    '{"a": hunter2}',
    '{"a": "hunter2',
    '{"a": "hunter2\n"}',
    '{"a": 4e4444}',
    '{"a": "hunter2" "b"}',
  ]) {
    assert.doesNotMatch(refusal(text), /hunter2|4444/);
  }
});
