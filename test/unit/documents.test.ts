/** What README.md and docs/ say, where it can be compared with the code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorTable } from "../../src/errors.ts";
import { versions } from "../sdk/versions.ts";
import { userDocuments } from "../support/documents.ts";

const documents = userDocuments();
const whole = documents.map(({ text }) => text).join("\n");

test("the documents name problem codes with the status of the error table", () => {
  const named = [...whole.matchAll(/^\| (\d{3}) `(\w+)`/gm)];
  assert.ok(named.length > 5);
  for (const [, status, code] of named)
    assert.equal(errorTable[code as keyof typeof errorTable]?.status, Number(status), code);
});

test("the documents make clients with the generator versions that are tested", () => {
  for (const [name, version] of Object.entries(versions)) {
    if (name === "@redocly/cli") continue;
    const [, documented] = new RegExp(`${name}(?:-cli)?(?:@|==|:)(v?\\d[\\w.]*\\d)`).exec(whole) ?? [];
    assert.equal(documented, version, name);
  }
});
