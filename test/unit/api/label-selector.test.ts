/** The selectors of k8s.io/apimachinery's own tests, and what its documentation says of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalities, matchesLabels, parseLabelSelector } from "../../../src/api/label-selector.ts";
import { GatewayError } from "../../../src/errors.ts";

type Term = readonly [key: string, operator: string, ...values: string[]];

const parsed = (text: string): Term[] =>
  parseLabelSelector(text).map(({ key, operator, values }) => [key, operator, ...values]);

const good: readonly (readonly [text: string, terms: readonly Term[]])[] = [
  ["", []],
  ["  \t\r\n", []],
  ["x", [["x", "exists"]]],
  ["\rx", [["x", "exists"]]],
  ["a ", [["a", "exists"]]],
  ["!x", [["x", "absent"]]],
  ["! x", [["x", "absent"]]],
  ["x=a", [["x", "in", "a"]]],
  ["x==a", [["x", "in", "a"]]],
  ["x = a", [["x", "in", "a"]]],
  ["x  ==\ta", [["x", "in", "a"]]],
  ["x!=a", [["x", "notin", "a"]]],
  ["x != a", [["x", "notin", "a"]]],
  ["x=", [["x", "in", ""]]],
  ["x= ", [["x", "in", ""]]],
  ["x!=", [["x", "notin", ""]]],
  [
    "x=,z= ",
    [
      ["x", "in", ""],
      ["z", "in", ""],
    ],
  ],
  [
    "x= ,z= ",
    [
      ["x", "in", ""],
      ["z", "in", ""],
    ],
  ],
  [
    "x=a,y=b,z=c",
    [
      ["x", "in", "a"],
      ["y", "in", "b"],
      ["z", "in", "c"],
    ],
  ],
  [
    "x!=a,y=b",
    [
      ["x", "notin", "a"],
      ["y", "in", "b"],
    ],
  ],
  ["this-is-a-dns.domain.com/key-with-dash", [["this-is-a-dns.domain.com/key-with-dash", "exists"]]],
  [
    "this-is-another-dns.domain.com/key-with-dash in (so,what)",
    [["this-is-another-dns.domain.com/key-with-dash", "in", "so", "what"]],
  ],
  [
    "0.1.2.domain/99 notin (10.10.100.1, tick.tack.clock)",
    [["0.1.2.domain/99", "notin", "10.10.100.1", "tick.tack.clock"]],
  ],
  ["foo  in\t (abc)", [["foo", "in", "abc"]]],
  ["x notin\n (abc)", [["x", "notin", "abc"]]],
  ["x  notin \t (abc,def)", [["x", "notin", "abc", "def"]]],
  ["x in(abc)", [["x", "in", "abc"]]],
  ["x in (abc,abc)", [["x", "in", "abc"]]],
  ["x in (abc,)", [["x", "in", "abc", ""]]],
  ["x in (,abc)", [["x", "in", "", "abc"]]],
  ["x notin (, a)", [["x", "notin", "", "a"]]],
  ["x in ()", [["x", "in", ""]]],
  ["x notin ( )", [["x", "notin", ""]]],
  [
    "x notin (abc,,def),bar,z in (),w",
    [
      ["x", "notin", "abc", "", "def"],
      ["bar", "exists"],
      ["z", "in", ""],
      ["w", "exists"],
    ],
  ],
  [
    "x,y in (a)",
    [
      ["x", "exists"],
      ["y", "in", "a"],
    ],
  ],
  [
    "x=a,y!=b,z in (h,i,j)",
    [
      ["x", "in", "a"],
      ["y", "notin", "b"],
      ["z", "in", "h", "i", "j"],
    ],
  ],
  [
    "!x,y,!z",
    [
      ["x", "absent"],
      ["y", "exists"],
      ["z", "absent"],
    ],
  ],
  // The words of the syntax are keys and values like any other.
  ["in", [["in", "exists"]]],
  [
    "notin,in",
    [
      ["notin", "exists"],
      ["in", "exists"],
    ],
  ],
  ["in in (in,notin)", [["in", "in", "in", "notin"]]],
  ["notin notin (notin)", [["notin", "notin", "notin"]]],
  ["!in", [["in", "absent"]]],
  ["in=notin", [["in", "in", "notin"]]],
  ["a in (x,y,notin, z,in)", [["a", "in", "x", "y", "notin", "z", "in"]]],
  // One key may have several terms; all must hold.
  [
    "a=b,a=c",
    [
      ["a", "in", "b"],
      ["a", "in", "c"],
    ],
  ],
  [`a=${"v".repeat(63)}`, [["a", "in", "v".repeat(63)]]],
  [`${"k".repeat(63)}`, [["k".repeat(63), "exists"]]],
  ["A.b_c-D9", [["A.b_c-D9", "exists"]]],
  ["constructor=toString", [["constructor", "in", "toString"]]],
];

test("what apimachinery takes is taken, with the same meaning", () => {
  assert.ok(good.length > 45);
  for (const [text, terms] of good) assert.deepEqual(parsed(text), terms, JSON.stringify(text));
});

const bad = [
  "x=a||y=b",
  "x==a==b",
  "x=a=b",
  "!x=a",
  "!x in (a)",
  "!!x",
  "!",
  "x !",
  "x!y",
  "x,,y",
  ",x,y",
  "x,y,",
  ",",
  "x nott in (y)",
  "x y",
  "a in (xyz),",
  "a in (xyz)b notin ()",
  "a in (xyz abc)",
  "a in xyz",
  "a in",
  "a notin(",
  "a in (b",
  "a in b)",
  "a (",
  "a ()",
  "(",
  ")",
  "(a)",
  "a in ((b))",
  "a in (b=c)",
  "a=(b)",
  "=a",
  "==a",
  "!=a",
  "a===b",
  "a=!b",
  "a=b!=c",
  "a = = b",
  // Keys and values are Kubernetes' own.
  "-a",
  "a-",
  "a.",
  ".a",
  "_a",
  "a/b/c",
  "/a",
  "a/",
  "/",
  "Example.com/a",
  "a_b/c",
  "-a.com/b",
  "a-.com/b",
  "a..com/b",
  ".com/b",
  "com./b",
  `${"k".repeat(64)}`,
  `${"p".repeat(254)}/k`,
  `a=${"v".repeat(64)}`,
  "a=-b",
  "a=b-",
  "a=b/c",
  "a in (b/c)",
  "a=é",
  "é=a",
  // Quotes are ours: JSON's, whole, and nothing beside them.
  'a="b',
  '"',
  '"a" "b"',
  '"a"b',
  'a"b"',
  'a="b"c',
  'a "in" (b)',
  'a="\\x"',
  'a="\n"',
  'a="\\ud800"',
  "a='b'",
  "a=b;c",
  "a:b",
  "a@b",
  "a\u0000",
  "a=\u{1f600}",
];

test("what apimachinery refuses is refused, with its place", () => {
  for (const text of bad) {
    assert.throws(
      () => parseLabelSelector(text),
      (error: unknown) => {
        assert.ok(error instanceof GatewayError, String(error));
        assert.equal(error.code, "invalid_request");
        assert.equal(error.errors[0]?.parameter, "labelSelector");
        assert.match(error.errors[0]?.detail ?? "", /^expected .* at position \d+ of ".*", found /s);
        return true;
      },
      JSON.stringify(text),
    );
  }
});

test("parseLabelSelector() takes any text as a key or a value in the quotes of JSON", () => {
  const quoted: readonly (readonly [text: string, terms: readonly Term[]])[] = [
    ['a="b"', [["a", "in", "b"]]],
    ['"my key"="a b"', [["my key", "in", "a b"]]],
    ['"a=b,c"!="(d)"', [["a=b,c", "notin", "(d)"]]],
    ['!"a/b/c"', [["a/b/c", "absent"]]],
    ['"é"', [["é", "exists"]]],
    ['"in" in ("x,y", z, "")', [["in", "in", "x,y", "z", ""]]],
    ['"" notin ("\\"", "\\n\\u00e9")', [["", "notin", '"', "\né"]]],
    [
      'a="in","b"',
      [
        ["a", "in", "in"],
        ["b", "exists"],
      ],
    ],
    [`a="${"v".repeat(64)}"`, [["a", "in", "v".repeat(64)]]],
  ];
  for (const [text, terms] of quoted) assert.deepEqual(parsed(text), terms, text);
});

test("the place of a mistake is where it is", () => {
  const position = (text: string): number => {
    try {
      parseLabelSelector(text);
    } catch (error) {
      return Number(/position (\d+)/.exec((error as Error).message)?.[1]);
    }
    return 0;
  };
  assert.equal(position("app=web,tier in x"), 17);
  assert.equal(position("app=web,"), 9);
  assert.equal(position("a b"), 3);
  assert.equal(position("ok,-bad"), 4);
  assert.equal(position("a in (ok, -bad)"), 11);
  assert.equal(position('"ok"="a b","bad'), 12);
});

test("each operator holds as the documentation says", () => {
  const labels = new Map([
    ["environment", "production"],
    ["tier", "frontend"],
    ["empty", ""],
  ]);
  const holds = [
    "",
    "environment = production",
    "tier != backend",
    "tier!=",
    "environment in (production, qa)",
    "tier notin (backend, cache)",
    // Not having the label is enough for what is not to be.
    "partition != x",
    "partition notin (x)",
    "environment",
    "!partition",
    "empty=",
    "empty",
    "empty in (a,)",
    "environment=production,tier!=backend,!partition",
  ];
  const fails = [
    "environment=qa",
    "tier!=frontend",
    "environment in (qa, test)",
    "environment notin (production)",
    "partition",
    "!environment",
    "partition=",
    "partition in (a,)",
    "empty!=",
    "environment=",
    "environment=production,tier=backend",
    "tier=frontend,tier=backend",
    "constructor",
  ];
  for (const text of holds) assert.equal(matchesLabels(parseLabelSelector(text), labels), true, text);
  for (const text of fails) assert.equal(matchesLabels(parseLabelSelector(text), labels), false, text);
});

test("what goes down to the runtime is equality with one value, once a key", () => {
  const down = (text: string) => equalities(parseLabelSelector(text));
  assert.deepEqual(down("a=b,c==d"), { a: "b", c: "d" });
  assert.deepEqual(down("a in (b),c=,d in ()"), { a: "b", c: "", d: "" });
  assert.deepEqual(down("a=b,a=c"), { a: "b" });
  assert.deepEqual(down("a in (b,c),d!=e,f,!g,h notin (i),j=k"), { j: "k" });
  assert.deepEqual(
    down('"a"="b","my key"="a b",c="d e","__proto__"="f"'),
    { a: "b" },
    "the rest is Crest's to apply",
  );
  for (const text of ["", "a", "!a", "a!=b", "a in (b,c)", "a notin (b)"])
    assert.equal(down(text), undefined, text);
});

test("what goes down never leaves out what the selector chooses", () => {
  const key = fc.constantFrom("a", "b", "in");
  const value = fc.constantFrom("", "x", "y");
  const term = fc.oneof(
    fc.tuple(key, fc.constantFrom("=", "==", "!="), value).map((parts) => parts.join("")),
    fc
      .tuple(key, fc.constantFrom("in", "notin"), fc.array(value))
      .map(([k, o, v]) => `${k} ${o} (${v.join()})`),
    key,
    key.map((name) => `!${name}`),
  );
  fc.assert(
    fc.property(fc.array(term), fc.dictionary(key, value), (terms, labels) => {
      const requirements = parseLabelSelector(terms.join());
      const map = new Map(Object.entries(labels));
      if (!matchesLabels(requirements, map)) return;
      for (const [name, wanted] of Object.entries(equalities(requirements) ?? {})) {
        assert.equal(map.get(name), wanted);
      }
    }),
  );
});

test("any text is a selector or a 400, never anything else", () => {
  const token = fc.constantFrom(
    "a",
    "in",
    "notin",
    "(",
    ")",
    ",",
    "=",
    "==",
    "!",
    "!=",
    " ",
    "b/c",
    "-",
    "é",
    "\n",
    "<",
    ">",
    '"',
    "\\",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(token, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (selector) => {
      try {
        for (const { key, operator, values } of parseLabelSelector(selector)) {
          assert.ok(key.length > 0 || selector.includes('""'));
          assert.equal(values.size > 0, operator === "in" || operator === "notin");
        }
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.code === "invalid_request", String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("a long selector is read in no time", () => {
  const started = performance.now();
  for (const text of [
    "a".repeat(15_000),
    `${"a.".repeat(7_000)}/b`,
    "a=b,".repeat(4_000),
    `a in (${"b,".repeat(7_000)})`,
    `"${"\\\\".repeat(7_000)}`,
    '"'.repeat(15_000),
  ]) {
    try {
      parseLabelSelector(text);
    } catch (error) {
      assert.ok(error instanceof GatewayError);
    }
  }
  assert.ok(performance.now() - started < 1000);
});
