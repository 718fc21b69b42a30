import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { parse } from "yaml";
import { displayWidth, fit } from "../../../src/cli/output/display-width.ts";
import { imageName } from "../../../src/cli/output/image-name.ts";
import { jsonText, printJsonBody } from "../../../src/cli/output/json.ts";
import { formatOf, printJsonLines, printListing } from "../../../src/cli/output/listing.ts";
import { shortIds } from "../../../src/cli/output/short-ids.ts";
import { diskSize, memorySize } from "../../../src/cli/output/sizes.ts";
import { type Column, table } from "../../../src/cli/output/table.ts";
import { yamlText } from "../../../src/cli/output/yaml.ts";
import type { FetchResponse } from "../../../src/client/index.ts";
import { fakeTerminal } from "../../support/fake-terminal.ts";

interface Row {
  readonly name: string;
  readonly size: string;
}

const columns: readonly Column<Row>[] = [
  { title: "NAME", value: ({ name }) => name, shrinksTo: 6 },
  { title: "SIZE", value: ({ size }) => size, align: "right" },
  { title: "NOTE", value: () => "ok", style: () => "green" },
];
const rows = [
  { name: "a-rather-long-name", size: "1" },
  { name: "short", size: "12345" },
];

test("a table is as wide as it must be", () => {
  assert.equal(
    table(columns, rows),
    `NAME                 SIZE  NOTE
a-rather-long-name      1  ok
short               12345  ok
`,
  );
  assert.equal(table(columns, []), "NAME  SIZE  NOTE\n");
});

test("a table shrinks to the terminal, but not below what each column needs", () => {
  assert.equal(
    table(columns, rows, { width: 23 }),
    `NAME         SIZE  NOTE
a-rather-…      1  ok
short       12345  ok
`,
  );
  assert.match(table(columns, rows, { width: 1 }), /^a-rat… {6}1 {2}ok$/m);
  for (const line of table(columns, rows, { width: 30 }).split("\n")) assert.ok(line.length <= 30, line);
});

test("wide characters and marks are counted as a terminal shows them", () => {
  assert.deepEqual(["web", "容器", "e\u0301", "🐳", "a\u200bb"].map(displayWidth), [3, 4, 1, 2, 2]);
  assert.equal(fit("容器容器", 5), "容器…");
  assert.equal(fit("容器容器", 4), "容…");
  assert.equal(fit("abc", 3), "abc");
  assert.equal(fit("abcd", 3), "ab…");
  const lines = table(
    [
      { title: "A", value: (text: string) => text },
      { title: "B", value: () => "x" },
    ],
    ["容器", "abcd"],
  ).split("\n");
  assert.deepEqual(lines.slice(1, 3), ["容器  x", "abcd  x"]);
});

test("texts of others cannot move the terminal in any format", async () => {
  const hostile = "evil\u001b]0;title\u0007\u009b2J\r\nnext\u202eline";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  const moving = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  for (const output of ["table", "wide", "json", "jsonl", "yaml", "name", undefined]) {
    const { stdout } = fakeTerminal({ columns: 200 });
    await printListing(
      stdout,
      { output, quiet: output === undefined, "no-trunc": true },
      {
        answer: { items: [{ [hostile]: hostile }] },
        items: [{ [hostile]: hostile }],
        ids: [hostile],
        names: [hostile],
        rows: [{ name: hostile, size: hostile }],
        columns,
      },
    );
    assert.doesNotMatch(stdout.text(), moving, output);
    assert.match(stdout.text(), /evil\\u001b/, output);
    if (output === "json") assert.deepEqual(JSON.parse(stdout.text()), { items: [{ [hostile]: hostile }] });
    if (output === "yaml") assert.deepEqual(parse(stdout.text()), { items: [{ [hostile]: hostile }] });
  }
});

test("YAML has the same value as JSON", () => {
  const value = {
    text: "two\nlines\n",
    tabs: "a\tb",
    number: "0123",
    yes: "yes",
    long: "word ".repeat(100),
    "key\u0007": { list: [1, null, true, "~", "# no comment", ""] },
    empty: {},
    quotes: "\"'\u001b",
  };
  assert.deepEqual(parse(yamlText(value)), value);
  assert.equal(yamlText({ a: [{ b: "x" }] }), "a:\n  - b: x\n");
});

test("JSON is on one line in a pipe and indented on a terminal", () => {
  assert.equal(jsonText({ a: 1 }, false), '{"a":1}\n');
  assert.equal(jsonText({ a: "\u009b" }, true), '{\n  "a": "\\u009b"\n}\n');
});

test("a slow reader is waited for: nothing is written ahead of it", async () => {
  let taken = 0;
  let given = 0;
  let resume = (): void => undefined;
  const slow = new Writable({
    highWaterMark: 1,
    write(_part, _encoding, done) {
      taken++;
      if (taken === 1) resume = done;
      else done();
    },
  });
  function* items() {
    for (; given < 10_000; given++) yield { id: given };
  }
  const lines = printJsonLines(items(), slow);
  await setImmediate();
  assert.deepEqual([given, taken], [0, 1]);
  resume();
  await lines;
  assert.deepEqual([given, taken], [10_000, 10_000]);

  let read = 0;
  taken = 0;
  const reader = {
    read: async () => (read++ < 100 ? { done: false, value: Buffer.from("x") } : { done: true }),
    cancel: async () => undefined,
  };
  const body = { getReader: () => reader };
  const printed = printJsonBody({ body } as unknown as FetchResponse, slow);
  await setImmediate();
  await setImmediate();
  assert.deepEqual([read, taken], [1, 1]);
  resume();
  await printed;
  assert.deepEqual([read, taken], [101, 101]);
});

test("an answer that is cut is told as such", async () => {
  const cut = async (): Promise<never> => {
    throw new Error("aborted");
  };
  const { stdout } = fakeTerminal();
  const response = { text: cut, body: { getReader: () => ({ read: cut, cancel: async () => undefined }) } };
  await assert.rejects(printJsonBody(response as unknown as FetchResponse, stdout), {
    code: "connection_lost",
    message: "The answer was cut: aborted",
  });
});

test("a long text does not widen every other line", () => {
  const text = table(
    columns,
    Array.from({ length: 1000 }, (_, at) => ({ name: at === 7 ? "x".repeat(65_536) : "web", size: "1" })),
  );
  assert.ok(text.length < 250_000, String(text.length));
});

test("short ids have 13 characters, or as many as distinguish them", () => {
  const same = "0123456789abcdef";
  const shorten = shortIds([`${same}00`, `${same}01`, `sha256:${"f".repeat(64)}`]);
  assert.equal(shorten(`${same}00`), `${same}00`);
  assert.equal(shorten(`${same}01`), `${same}01`);
  assert.equal(shorten(`sha256:${"f".repeat(64)}`), "f".repeat(13));
  assert.equal(shortIds([same, same])(same), "0123456789abc");
});

test("names of images are as short as docker takes them", () => {
  const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
  for (const [reference, name] of [
    ["docker.io/library/busybox:1.35", "busybox:1.35"],
    ["docker.io/grafana/loki:3", "grafana/loki:3"],
    ["registry.example:5000/team/app", "registry.example:5000/team/app"],
    [`registry.example:5000/app@${digest}`, "registry.example:5000/app@0123456789abc"],
    [`docker.io/library/busybox:1.35@${digest}`, "busybox:1.35"],
    [digest, "0123456789abc"],
    ["", ""],
  ] as const)
    assert.equal(imageName(reference), name);
});

test("sizes have three digits", () => {
  assert.deepEqual([0, 999, 1000, 4_861_234, 99_960_000, 999_600, 123_456_789_012].map(diskSize), [
    "0B",
    "999B",
    "1kB",
    "4.86MB",
    "100MB",
    "1MB",
    "123GB",
  ]);
  assert.deepEqual([1023, 1024, 13_107_200, 2 ** 40].map(memorySize), ["1023B", "1KiB", "12.5MiB", "1TiB"]);
});

test("-q and a format exclude each other", () => {
  assert.throws(() => formatOf({ output: "json", quiet: true }), /-q prints only ids/);
  assert.equal(formatOf({ output: undefined, quiet: false }), "table");
});
