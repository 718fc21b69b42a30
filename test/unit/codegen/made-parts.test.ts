import assert from "node:assert/strict";
import { test } from "node:test";
import { withMadeParts } from "../../../src/codegen/made-parts.ts";
import { settings } from "../../../src/config/settings.ts";

test("withMadeParts() replaces a made part and keeps the rest of the text", () => {
  const around = (part: string) =>
    `before\n<!-- made: settings -->\n${part}<!-- end: settings -->\n<!-- a comment -->\nafter\n`;
  const made = withMadeParts("a.md", around("old\n"));
  assert.equal(withMadeParts("a.md", around("")), made);
  assert.equal(withMadeParts("a.md", made), made);
  assert.match(made, /^before\n[\s\S]*`--listen=ADDRESS`[\s\S]*\n<!-- a comment -->\nafter\n$/);
  for (const { group, variable } of settings) assert.equal(made.includes(variable), group !== "denials");
});

test("withMadeParts() lists every grant in the table of grants, and no other setting", () => {
  const made = withMadeParts("a.md", "<!-- made: grants -->\n<!-- end: grants -->\n");
  assert.match(made, /^\| `-A`, `--allow-all` \| /m);
  assert.match(made, /^\| `--allow-pull\[=PREFIXES\]` \| /m);
  for (const { group, flag } of settings) assert.equal(made.includes(`\`${flag}`), group === "grants", flag);
});

test("withMadeParts() refuses a part without a source or an end", () => {
  const make = (text: string) => () => withMadeParts("a.md", text);
  assert.throws(
    make("<!-- made: nothing -->\n<!-- end: nothing -->\n"),
    /"nothing" of a\.md: it has no source/,
  );
  assert.throws(
    make("<!-- made: settings -->\n<!-- end: java -->\n"),
    /"settings" of a\.md: it does not end/,
  );
});
