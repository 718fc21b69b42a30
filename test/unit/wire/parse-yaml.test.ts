/** YAML as another way to write JSON, and nothing more than that. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { InvalidYaml } from "../../../src/wire/invalid-yaml.ts";
import { parseJson } from "../../../src/wire/parse-json.ts";
import { MAX_YAML_BYTES, parseYaml } from "../../../src/wire/parse-yaml.ts";
import { randomRuns } from "../../support/random-runs.ts";

/** With prototypes, so that they compare with literals. */
const parse = (text: string | Uint8Array): unknown => {
  const value = parseYaml(Buffer.from(text));
  return JSON.parse(JSON.stringify({ value }, (_, part) => (typeof part === "bigint" ? `${part}n` : part)))
    .value;
};

function refusal(text: string | Uint8Array): InvalidYaml {
  try {
    parseYaml(Buffer.from(text));
  } catch (error) {
    assert.ok(error instanceof InvalidYaml, String(error));
    return error;
  }
  assert.fail(`it was taken: ${Buffer.from(text).toString().slice(0, 100)}`);
}

test("parseYaml() reads what a plain scalar is by the core schema of YAML 1.2", () => {
  const text = `
text: a b
no: no
yes: Yes
on: on
octal: 0o17
old octal: 017
hex: 0x1F
date: 2001-01-01
time: 12:30:45
version: 1.10
underscore: 1_000
truth: [true, True, TRUE, false]
nothing: [null, ~, Null, NULL]
empty:
quoted: ["1", '2', "a\\tb"]
float: [.5, 1e3, -1.5E-2, +3]
block: |
  one
   two
folded: >-
  one
  two
`;
  assert.deepEqual(parse(text), {
    text: "a b",
    no: "no",
    yes: "Yes",
    on: "on",
    octal: 15,
    "old octal": 17,
    hex: 31,
    date: "2001-01-01",
    time: "12:30:45",
    version: 1.1,
    underscore: "1_000",
    truth: [true, true, true, false],
    nothing: [null, null, null, null],
    empty: null,
    quoted: ["1", "2", "a\tb"],
    float: [0.5, 1000, -0.015, 3],
    block: "one\n two\n",
    folded: "one two",
  });
});

test("parseYaml() keeps every digit of an integer", () => {
  assert.deepEqual(
    parse("[9007199254740991, 9007199254740993, -9223372036854775808, 18446744073709551615]"),
    [9007199254740991, "9007199254740993n", "-9223372036854775808n", "18446744073709551615n"],
  );
});

test("parseYaml() takes a key that looks like a number or a truth value as it is written", () => {
  assert.deepEqual(parse("1: a\n0x10: b\ntrue: c\n1.50: d\n'~': e\n__proto__: f\n"), {
    "1": "a",
    "0x10": "b",
    true: "c",
    "1.50": "d",
    "~": "e",
    ["__proto__"]: "f",
  });
});

test("parseYaml() takes what JSON is, with the same value", () => {
  const json = fc.json({ maxDepth: 5 });
  fc.assert(
    fc.property(json, (text) => {
      const rounded = (value: unknown): unknown =>
        JSON.parse(JSON.stringify([value], (_, part) => (typeof part === "bigint" ? Number(part) : part)));
      assert.deepEqual(rounded(parseYaml(Buffer.from(text))), rounded(parseJson(Buffer.from(text))));
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const isUnsafe = (part: unknown): boolean => Number.isInteger(part) && !Number.isSafeInteger(part);
      const plain = JSON.parse(JSON.stringify({ value }, (_, part) => (isUnsafe(part) ? 0 : part)));
      const text = stringify(plain, { version: "1.2", aliasDuplicateObjects: false });
      assert.deepEqual({ value: (parse(text) as { value: unknown }).value }, plain, text);
    }),
  );
});

test("parseYaml() takes one document, with or without its marks", () => {
  for (const text of ["a: b", "---\na: b\n", "--- {a: b}\n...\n", "# c\n---\n# d\na: b # e\n", "a: b\r\n"])
    assert.deepEqual(parse(text), { a: "b" }, text);
  for (const text of ["a: b\n---\nc: d\n", "---\na: b\n---\n", "a\n...\nb\n"])
    assert.match(refusal(text).detail, /more than one document/, text);
  for (const text of ["# only a comment\n", "---\n", "\n", " "]) assert.equal(parse(text), null, text);
});

const anchors = `
base: &base {a: 1, list: &list [1, 2]}
again: *base
lists: [*list, *list]
base2: &base other
now: *base
`;

test("parseYaml() puts an anchor's value where an alias names it", () => {
  assert.deepEqual(parse(anchors), {
    base: { a: 1, list: [1, 2] },
    again: { a: 1, list: [1, 2] },
    lists: [
      [1, 2],
      [1, 2],
    ],
    base2: "other",
    now: "other",
  });
});

const laughs = (levels: number): string =>
  Array.from({ length: levels }, (_, level) =>
    level === 0
      ? "a0: &a0 [x, x, x, x, x, x, x, x, x]"
      : `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join()}]`,
  ).join("\n");

const refused: readonly (readonly [
  what: string,
  text: string | Uint8Array,
  detail: RegExp,
  pointer?: string,
])[] = [
  ["a key given twice", "a: 1\nb:\n  c: 1\n  c: 2\n", /"c" is repeated/, "/b/c"],
  ["a key given twice in two ways", "{'1': a, 1: b}", /is repeated/, "/1"],
  ["bytes that are not UTF-8", Buffer.from([0x61, 0x3a, 0x20, 0xff]), /not UTF-8/],
  ["a byte order mark", "\ufeffa: b", /byte order mark/],
  ["UTF-16", Buffer.from("a: b", "utf16le"), /control character/],
  ["a control character", 'a: "b\u0007"', /control character/],
  ["a value that is not of its tag", "a: !!int b", /tag/, "/a"],
  ["a truth value that is not of its tag", "a: !!str true\nb: !!bool yes", /tag/, "/b"],
  ["a directive", "%YAML 1.1\n---\na: no\n", /directives/],
  ["a tag directive", "%TAG ! tag:example.com,2000:\n---\na: !b c\n", /directives/],
  ["a tag of its own", "a: !secret b", /a tag/, "/a"],
  ["a tag of an older schema", "a: !!binary aGVsbG8=", /a tag/, "/a"],
  ["a tag of a timestamp", "a: !!timestamp 2001-01-01", /a tag/, "/a"],
  ["a tag of a set", "a: !!set {b, c}", /a tag/, "/a"],
  ["the tag of JavaScript", "a: !!js/function 'function () {}'", /a tag/, "/a"],
  ["a merge key", "a: &a {b: 1}\nc:\n  <<: *a\n", /merge keys/, "/c"],
  ["a key that is a list", "? [a, b]\n: c\n", /a key must be a string/, ""],
  ["a key that is nothing", "a:\n  ~: b\n", /a key must be a string/, "/a"],
  ["a key without a text", "a: {: b}", /a key must be a string/, "/a"],
  ["an alias as a key", "a: &a b\n*a : c\n", /a key must be a string/, ""],
  ["an anchor on a key", "&a b: c\n", /anchor on a key/, ""],
  ["an unknown alias", "a: *b", /no anchor before it/, "/a"],
  ["an alias before its anchor", "a: *b\nb: &b c\n", /no anchor before it/, "/a"],
  ["an alias inside its anchor", "a: &a\n  b: *a\n", /inside its own anchor/, "/a/b"],
  ["a list of itself", "&a [*a]", /inside its own anchor/, "/0"],
  ["aliases of aliases", laughs(9), /aliases repeat more than/],
  ["an alias named very often", `a: &a [1]\nb: [${"*a,".repeat(9_000)}]`, /aliases repeat more than/],
  ["infinity", "a: [1, .inf]", /infinity/, "/a/1"],
  ["NaN", "a: .nan", /NaN/, "/a"],
  ["a number beyond a double", "a: 1e400", /without loss/, "/a"],
  ["digits beyond a double", "a: 1.00000000000000000001", /without loss/, "/a"],
  ["an underflow", "a: 1e-400", /without loss/, "/a"],
  ["a tab as indentation", "a:\n\tb: c\n", /./],
  ["a quote that does not end", 'a: "b', /missing/],
  ["a bracket that does not end", "a: [b", /./],
  ["a wrong indentation", "a:\n    b: c\n  d: e\n", /./],
  ["an unknown escape", 'a: "\\z"', /escape/],
  ["text after the value", "[a] b", /./],
  ["deep lists", `${"[".repeat(65)}${"]".repeat(65)}`, /nested more than 64/],
  [
    "deep mappings",
    Array.from({ length: 65 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""),
    /nested more than 64/,
  ],
  [
    "depth by aliases",
    `a: &a ${"[".repeat(40)}1${"]".repeat(40)}\nb: ${"[".repeat(30)}*a${"]".repeat(30)}`,
    /nested more/,
  ],
  ["a large text", `a: ${"b".repeat(MAX_YAML_BYTES)}`, /over \d+ bytes/],
];

for (const [what, text, detail, pointer] of refused) {
  test(`parseYaml() refuses ${what}`, () => {
    const error = refusal(text);
    assert.match(error.detail, detail);
    assert.ok(error.line >= 1 && error.column >= 1);
    if (pointer !== undefined) assert.equal(error.pointer, pointer);
  });
}

test("parseYaml() tells the place of a mistake", () => {
  const { line, column, pointer } = refusal("a: 1\nb:\n  - c\n  - d: !x y\n");
  assert.deepEqual([line, column, pointer], [4, 11, "/b/1/d"]);
  const broken = refusal('a: 1\nb: "c\n');
  assert.ok(broken.line >= 2, `${broken.line}`);
});

test("parseYaml() says no value in a refusal", () => {
  const secret = "canary";
  for (const text of [
    `a: "${secret}`,
    `a: ${secret}: ${secret}`,
    `a: [${secret}`,
    `a: !${secret} b`,
    `a: *${secret}`,
    `a: {b: c ${secret}: d}}`,
    `a: 'b' ${secret}`,
    `- ${secret}\na: b`,
    `a: |${secret}\n b`,
    `%${secret}\n---\na: b`,
    `a: "\\q${secret}"`,
    `@${secret}`,
  ]) {
    const error = refusal(text);
    assert.ok(!`${error.message} ${error.detail}`.includes(secret), error.message);
  }
});

test("parseYaml() takes nesting as deep as JSON does, and not deeper", () => {
  for (const depth of [63, 64]) {
    parseYaml(Buffer.from(`${"[".repeat(depth)}1${"]".repeat(depth)}`));
    parseYaml(Buffer.from(Array.from({ length: depth }, (_, i) => `${" ".repeat(i)}a:\n`).join("")));
    parseJson(Buffer.from(`${"[".repeat(depth)}1${"]".repeat(depth)}`));
  }
});

test("parseYaml() ends with a value or a refusal, whatever it is given", () => {
  const piece = fc.constantFrom(
    ...[
      "a",
      ":",
      ": ",
      "- ",
      "? ",
      "\n",
      " ",
      "  ",
      "\t",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&a ",
      "*a",
      "!",
      "!!str ",
      "|\n",
    ],
    ...[
      ">",
      "'",
      '"',
      "#",
      "%",
      "@",
      "`",
      "---\n",
      "...\n",
      "<<",
      "~",
      "1",
      ".inf",
      "\\",
      "\r",
      "é",
      "\u0000",
      "\u2028",
    ],
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 60 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (given) => {
      try {
        parseYaml(Buffer.from(given));
      } catch (error) {
        assert.ok(error instanceof InvalidYaml, `${JSON.stringify(given)}: ${(error as Error).stack}`);
      }
    }),
    { numRuns: randomRuns(3000) },
  );
});

test("parseYaml() ends with a value or a refusal on texts as large as it takes", () => {
  const parts = [
    "[",
    "{a: ",
    "- ",
    "? ",
    "a:\n",
    "a: b\n",
    "!a ",
    "&a ",
    ",",
    "'",
    "\n",
    " \n",
    "# c\n",
    "---\n",
    "*a ",
  ];
  for (const part of parts) {
    for (const head of ["", "["]) {
      const text = head + part.repeat(Math.floor((MAX_YAML_BYTES / 8 - head.length) / part.length));
      try {
        parseYaml(Buffer.from(text));
      } catch (error) {
        assert.ok(error instanceof InvalidYaml, `${head}${part}: ${(error as Error).stack}`);
      }
    }
  }
});

test("parseYaml() prints nothing with LOG_STREAM and LOG_TOKENS set, and leaves both set", (t) => {
  const printed = [t.mock.method(console, "log", () => {}), t.mock.method(console, "dir", () => {})];
  const names = ["LOG_STREAM", "LOG_TOKENS"] as const;
  const given = names.map((name) => process.env[name]);
  t.after(() => {
    for (const [index, name] of names.entries()) {
      const value = given[index];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) process.env[name] = "1";
  assert.deepEqual(parse("password: secret"), { password: "secret" });
  refusal("password: [secret");
  assert.deepEqual(
    printed.map(({ mock }) => mock.callCount()),
    [0, 0],
  );
  assert.deepEqual(
    names.map((name) => process.env[name]),
    ["1", "1"],
  );
});
