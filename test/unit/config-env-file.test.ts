import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnvFile } from "../../src/config/env-file.ts";

const values = (text: string) => parseEnvFile(text, "/c").map(({ name, value }) => [name, value]);
const read = (written: string) => parseEnvFile(`A=${written}`, "/c")[0]?.value;

test("parseEnvFile() reads assignments, skips blank lines and comments, and counts lines", () => {
  const text = "\uFEFF# first\n\nA=1\r\n  # indented\n  B = two words \nC=\n";
  assert.deepEqual(parseEnvFile(text, "/c"), [
    { name: "A", value: "1", line: 3 },
    { name: "B", value: "two words", line: 5 },
    { name: "C", value: "", line: 6 },
  ]);
  assert.deepEqual(values(""), []);
});

test("an unquoted value ends at a comment behind a space, and is taken as it stands", () => {
  assert.equal(read("a # comment"), "a");
  assert.equal(read("a#b"), "a#b");
  assert.equal(read("# only a comment"), "");
  assert.equal(read("$HOME/\\n=x"), "$HOME/\\n=x");
  assert.equal(read("it's"), "it's");
});

test("single quotes are literal, double quotes know three escapes", () => {
  assert.equal(read("' a # $b\\n ' # comment"), " a # $b\\n ");
  assert.equal(read('" a # \\"b\\" \\\\ \\n \\d " # comment'), ' a # "b" \\ \n \\d ');
  assert.equal(read("''"), "");
});

test("a bad line is refused by file and number", () => {
  const refused = (text: string, message: string) =>
    assert.throws(() => parseEnvFile(text, "/c"), { name: "StartError", message });
  const assignment = "not an assignment: write NAME=VALUE, or begin a comment with #";
  refused("A=1\nB", `/c, line 2: ${assignment}`);
  refused("export A=1", `/c, line 1: ${assignment}`);
  refused("1A=1", `/c, line 1: ${assignment}`);
  const quote = "A: the quote is not closed, or text follows it";
  for (const bad of ['"', '"a', "'a", "'a' b", '"a"b', "'a'#b", '"a\\"'])
    refused(`A=${bad}`, `/c, line 1: ${quote}`);
  refused("A=1\n\nA=1", "/c, line 3: A is already set on line 1");
});
