import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldAt } from "../../../src/cri/codec.ts";
import { requestRules } from "../../../src/cri/request-rules.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { breaks, type FieldRule, type FieldRules } from "../../../src/wire/field-rule.ts";
import { InvalidValue } from "../../../src/wire/invalid-value.ts";
import { table } from "./table.ts";

interface Row {
  readonly rule: FieldRule;
  readonly kept: readonly unknown[];
  readonly broken: readonly unknown[];
  readonly says?: RegExp;
}

const rows: readonly Row[] = [
  { rule: { required: "a name" }, kept: ["x", {}, 0], broken: [undefined, null, "", []], says: /a name/ },
  {
    rule: { minimum: 0n },
    kept: [undefined, "0", 0, "9223372036854775807", ["1", 2]],
    broken: ["-1", -1, ["1", "-9223372036854775808"]],
    says: /^must be at least 0$/,
  },
  {
    rule: { minimum: 1n, maximum: 9n },
    kept: ["1", 9],
    broken: ["0", "10", 10],
    says: /^must be from 1 to 9$/,
  },
  {
    rule: { minimum: 0n, maximum: 20n, except: [1n, 9n] },
    kept: ["0", 10, "20", undefined],
    broken: [-1, "1", 9, "21"],
    says: /^must be from 0 to 20, and not from 1 to 9$/,
  },
  {
    rule: { minimum: 0n, except: [1n, 9n] },
    kept: [0, "10"],
    broken: [-1, "9"],
    says: /at least 0, and not/,
  },
  { rule: { except: [1n, 9n] }, kept: [-1, "0", "10"], broken: ["1", 9], says: /^must not be from 1 to 9$/ },
  { rule: { maxBytes: 4 }, kept: ["abcd", "", undefined], broken: ["abcde", "ééé"], says: /at most 4 bytes/ },
  { rule: { maxBytes: 4 }, kept: [["abcd", "éé"], []], broken: [["a", "ééé"]], says: /in each item$/ },
  {
    rule: { maxBytes: 4 },
    kept: [{ ab: "é" }, {}],
    broken: [{ a: "", ab: "abc" }],
    says: /each key with its/,
  },
  {
    rule: { maxFirstBytes: 4 },
    kept: [["abcd", "abcdefgh"], []],
    broken: [["abcde"], ["ééé", "a"]],
    says: /^must have at most 4 bytes in its first item$/,
  },
  {
    rule: { pattern: { matches: /^\//, detail: "must be a path" } },
    kept: ["/", "", undefined, {}],
    broken: ["x/y"],
    says: /^must be a path$/,
  },
];

test("a rule takes what keeps it and says what would be right of the rest", () => {
  for (const { rule, kept, broken, says = /./ } of rows) {
    for (const value of kept) assert.equal(breaks(rule, "field", { field: value }), undefined);
    for (const value of broken) assert.match(breaks(rule, "field", { field: value }) ?? "", says);
  }
});

test("a field that needs another one is refused without it", () => {
  const rule = { onlyWith: ["user", "name"] };
  assert.equal(breaks(rule, "group", {}), undefined);
  assert.equal(breaks(rule, "group", { group: {}, name: "x" }), undefined);
  assert.match(breaks(rule, "group", { group: {}, name: "" }) ?? "", /without user or name/);
});

test("what stands in for a field waives that it must be there, and nothing else", () => {
  const rule = { required: "a path", unless: "image", pattern: { matches: /^\//, detail: "absolute" } };
  assert.equal(breaks(rule, "path", { image: {} }), undefined);
  assert.equal(breaks(rule, "path", { image: {}, path: "x" }), "absolute");
  assert.match(breaks(rule, "path", {}) ?? "", /a path/);
});

const rules: FieldRules = {
  Thing: { hostPath: { required: "a path", pattern: { matches: /^\//, detail: "must be absolute" } } },
};

function pointersOf(value: unknown, rulesOfThing = rules): readonly string[] {
  try {
    createEncoder(table, rulesOfThing)("Thing", value);
    return [];
  } catch (error) {
    if (error instanceof InvalidValue) return error.mistakes.map(({ pointer }) => pointer);
    throw error;
  }
}

test("encode() points to what breaks a rule in the sender's spelling", () => {
  assert.deepEqual(pointersOf({ hostPath: "/a" }), []);
  assert.deepEqual(pointersOf({ hostPath: "a" }), ["/hostPath"]);
  assert.deepEqual(pointersOf({ host_path: "a" }), ["/host_path"]);
  assert.deepEqual(pointersOf({}), ["/hostPath"]);
});

test("encode() points to each item of a list that breaks its rule", () => {
  const item = (text: string) => (text === "good" ? undefined : "must be good");
  const each: FieldRules = { Thing: { words: { item } } };
  assert.deepEqual(pointersOf({ words: ["good", "bad", "good", "ugly"] }, each), ["/words/1", "/words/3"]);
  for (const words of [["good"], [], null]) assert.deepEqual(pointersOf({ words }, each), []);
});

test("encode() holds no rule against a message whose fields are not what they should be", () => {
  assert.deepEqual(pointersOf({ hostPath: 1 }), ["/hostPath"]);
  assert.deepEqual(pointersOf({ unknownField: 1 }), ["/unknownField"]);
});

test("encode() holds no rule inside a field that is unchecked, and the same rules elsewhere", () => {
  const inside: FieldRules = { ...rules, Holder: { free: { unchecked: true } } };
  const message = (name: string, number: number) =>
    ({ name, proto: name, number, kind: "message", type: "Thing" }) as const;
  const holder = { fields: [message("free", 1), message("held", 2)] };
  const encode = createEncoder({ ...table, messages: { ...table.messages, Holder: holder } }, inside);
  const thing = { hostPath: "a" };
  assert.ok(encode("Holder", { free: thing }).length > 0);
  for (const value of [{ held: thing }, { free: thing, held: thing }])
    assert.throws(() => encode("Holder", value), { pointer: "/held/hostPath" });
  assert.throws(() => encode("Holder", { free: { unknown: 1 } }), { pointer: "/free/unknown" });
});

test("encode() holds the rules of a message against a string in its place", () => {
  const short: FieldRules = { Part: { image: { maxBytes: 4, required: "an image" } } };
  for (const part of ["abcd", "", { image: "abcd" }]) assert.deepEqual(pointersOf({ part }, short), []);
  assert.deepEqual(pointersOf({ part: "abcde" }, short), ["/part"]);
  assert.deepEqual(pointersOf({ part: { image: "abcde" } }, short), ["/part/image"]);
  assert.deepEqual(pointersOf({ parts: ["abcd", "abcde"] }, short), ["/parts/1"]);
});

test("every rule of requests is about a field that there is", () => {
  for (const [message, fields] of Object.entries(requestRules)) {
    for (const [field, rule] of Object.entries(fields)) {
      for (const name of [field, ...(rule.onlyWith ?? []), ...(rule.unless ? [rule.unless] : [])])
        assert.ok(fieldAt(message, name), `${message}.${name}`);
    }
  }
});
