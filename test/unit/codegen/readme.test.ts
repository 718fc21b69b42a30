import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readme } from "../../../src/codegen/readme.ts";
import { settings } from "../../../src/config/settings.ts";
import { errorTable } from "../../../src/errors.ts";
import { versions } from "../../sdk/versions.ts";
import { repositoryRoot } from "../../support/repository.ts";

const text = readFileSync(join(repositoryRoot(), "README.md"), "utf8");

test("a made part is replaced, and the rest of the text stays", () => {
  const around = (part: string) =>
    `before\n<!-- made: settings -->\n${part}<!-- end: settings -->\n<!-- a comment -->\nafter\n`;
  const made = readme(around("old\n"));
  assert.equal(readme(around("")), made);
  assert.equal(readme(made), made);
  assert.match(made, /^before\n[\s\S]*`--listen=ADDRESS`[\s\S]*\n<!-- a comment -->\nafter\n$/);
  for (const { group, variable } of settings) assert.equal(made.includes(variable), group !== "denials");
});

test("a part that nobody makes, or that does not end, is an error", () => {
  assert.throws(() => readme("<!-- made: nothing -->\n<!-- end: nothing -->\n"), /it has no source/);
  assert.throws(() => readme("<!-- made: settings -->\n<!-- end: java -->\n"), /it does not end/);
});

test("what the README says of problems is so", () => {
  const told = [...text.matchAll(/^\| (\d{3}) `(\w+)`/gm)];
  assert.ok(told.length > 5);
  for (const [, status, code] of told)
    assert.equal(errorTable[code as keyof typeof errorTable]?.status, Number(status), code);
});

test("the README makes clients with the generators that are tested", () => {
  for (const [name, version] of Object.entries(versions)) {
    if (name === "@redocly/cli") continue;
    const [, told] = new RegExp(`${name}(?:-cli)?(?:@|==|:)(v?\\d[\\w.]*\\d)`).exec(text) ?? [];
    assert.equal(told, version, name);
  }
});
