import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anchorsOf,
  blocksOf,
  documentedBlocks,
  documentedScript,
  inlineCommands,
  linksOf,
  userDocuments,
} from "../support/documents.ts";

const fence = "```";
const markdown = `# Node's \`model\`, in short
${fence}sh tour
# no heading
curl a [x](in/a/block)
${fence}
## A_b-c: d/e
Run \`curl
b\`, then [read](docs/a.md#same) \`[x](in/code)\`, or \`wget c\`.
## Same
## Same
## [A link](b.md)
`;

test("anchorsOf() names headings as GitHub does", () => {
  const anchors = ["nodes-model-in-short", "a_b-c-de", "same", "same-1", "a-link"];
  assert.deepEqual([...anchorsOf(markdown)], anchors);
});

test("linksOf() takes links in running text, and none in code", () => {
  assert.deepEqual(linksOf(markdown), ["docs/a.md#same", "b.md"]);
});

test("blocksOf() gives each fenced block with its info string", () => {
  assert.deepEqual(blocksOf(markdown), [{ info: "sh tour", text: "# no heading\ncurl a [x](in/a/block)\n" }]);
});

test("inlineCommands() takes the commands of one program, also over two lines, and none of a block", () => {
  assert.deepEqual(inlineCommands(markdown, "curl"), ["curl b"]);
});

test("documentedScript() joins the blocks of all documents, and refuses a name without a block", () => {
  assert.ok(userDocuments().length > 5);
  const tour = documentedBlocks().filter(({ info }) => info === "sh tour");
  assert.ok(tour.length > 5);
  for (const { text } of tour) assert.ok(documentedScript("sh tour").includes(text));
  assert.throws(() => documentedScript("sh nothing"), /No document has a block "sh nothing"/);
});
