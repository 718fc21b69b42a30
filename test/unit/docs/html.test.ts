import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { html } from "../../../src/docs/html.ts";
import { inline, prose } from "../../../src/docs/markdown.ts";

test("texts are escaped, markup is not, and what is absent leaves nothing", () => {
  const inner = html`<b>${"a<b"}</b>`;
  const text = html`<p title="${'"x" & y'}">${inner}${undefined}${false}${0}${[inner, " > "]}</p>`.text;
  assert.equal(text, '<p title="&quot;x&quot; &amp; y"><b>a&lt;b</b>0<b>a&lt;b</b> &gt; </p>');
});

test("no text opens a tag or leaves an attribute, in whatever Markdown it stands", () => {
  const markup = fc.string({
    unit: fc.constantFrom(
      "<",
      ">",
      '"',
      "'",
      "&",
      "`",
      "*",
      "-",
      "\n",
      " ",
      "[",
      "]",
      "(",
      ")",
      "/",
      "a",
      "=",
    ),
  });
  fc.assert(
    fc.property(markup, (text) => {
      for (const made of [html`<i title="${text}">${text}</i>`, inline(text), prose(text)]) {
        const tags = made.text.match(/<[^>]*>?/g) ?? [];
        for (const tag of tags) {
          assert.match(
            tag,
            /^<(\/?(i|p|ul|li|code|strong|a)|i title="[^"<>]*"|a href="\/[^"<>]*")>$/,
            made.text,
          );
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("descriptions have paragraphs, lists, code, bold and links to pages of ours", () => {
  assert.equal(
    prose("**Ids** may be `a`.\n\n- one\n- `two`\n\nSee [listPods](/docs#listPods), not [x](http://y).").text,
    "<p><strong>Ids</strong> may be <code>a</code>.</p><ul><li>one</li><li><code>two</code></li></ul>" +
      '<p>See <a href="/docs#listPods">listPods</a>, not [x](http://y).</p>',
  );
  assert.equal(prose(undefined).text, "");
});
